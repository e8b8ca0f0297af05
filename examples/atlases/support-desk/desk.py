"""The actions of the support desk, on the SQLite file `desk.db` of the project."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

TABLES = """
create table if not exists ticket (id integer primary key, customer text, subject text, state text);
create table if not exists message (ticket integer, text text);
create table if not exists refund (ticket integer, amount real);
"""
FIRST = [
    (1042, "the library", "The printer is on fire", "open"),
    (1043, "the school", "Two invoices for one order", "open"),
]


def list_tickets() -> list[dict[str, Any]]:
    with opened() as desk:
        rows = desk.execute("select id, customer, subject from ticket where state = 'open'")
        return [{"id": id, "customer": who, "subject": what} for id, who, what in rows]


def read_ticket(id: int) -> dict[str, Any]:
    with opened() as desk:
        customer, subject, state = found(desk, id)
        texts = desk.execute("select text from message where ticket = ?", (id,)).fetchall()
        return {
            "id": id,
            "customer": customer,
            "subject": subject,
            "state": state,
            "messages": [text for (text,) in texts],
        }


def reply(id: int, text: str) -> dict[str, Any]:
    with opened() as desk:
        found(desk, id)
        desk.execute("insert into message values (?, ?)", (id, text))
        desk.commit()
        return {"id": id, "sent": True}


def close(id: int) -> dict[str, Any]:
    with opened() as desk:
        found(desk, id)
        desk.execute("update ticket set state = 'closed' where id = ?", (id,))
        desk.commit()
        return {"id": id, "state": "closed"}


def delete(id: int) -> dict[str, Any]:
    with opened() as desk:
        desk.execute("delete from ticket where id = ?", (id,))
        desk.commit()
        return {"id": id}


def refund(ticket: int, amount: float) -> dict[str, Any]:
    with opened() as desk:
        found(desk, ticket)
        desk.execute("insert into refund values (?, ?)", (ticket, amount))
        desk.commit()
        return {"ticket": ticket, "amount": amount}


def opened() -> closing[sqlite3.Connection]:
    desk = sqlite3.connect(project() / "desk.db")
    desk.executescript(TABLES)
    if not desk.execute("select 1 from ticket limit 1").fetchone():
        desk.executemany("insert into ticket values (?, ?, ?, ?)", FIRST)
        desk.commit()
    return closing(desk)


def project() -> Path:
    """The project that the program runs in, also when it runs in a directory of it."""
    here = Path.cwd()
    for directory in (here, *here.parents):
        if (directory / "cra.config.json").is_file():
            return directory
    raise LookupError(f"expected a project around {here}, found none: run in one")


def found(desk: sqlite3.Connection, id: int) -> tuple[str, str, str]:
    row: tuple[str, str, str] | None = desk.execute(
        "select customer, subject, state from ticket where id = ?", (id,)
    ).fetchone()
    if row is None:
        raise LookupError(f"there is no ticket {id}")
    return row
