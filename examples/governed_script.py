"""A program under governance: it works at the support desk, and packs parcels by itself.

Run in a project that has the atlas support-desk. `cra trace show last` says what it did.
"""

from __future__ import annotations

from cra import Denied, Project, govern


def pack(ticket: int, item: str) -> str:
    """Pack a parcel for the customer of a ticket."""
    return f"{item} for ticket {ticket}"


def main() -> None:
    with Project.open() as project:
        session = project.session("night-shift")
        governed_pack = govern(pack, session=session, name="parcel.pack")

        resolution = session.resolve("answer the ticket about the printer and refund it")
        print("may:", ", ".join(resolution.allowed))

        # `result` raises unless the action succeeded.
        for ticket in session.execute("ticket.list").result:
            print(f"open: {ticket['id']} {ticket['subject']} ({ticket['customer']})")

        # A result can be looked at instead, with the rule that decided.
        refund = session.execute("refund.issue", {"ticket": 1042, "amount": 950})
        print(f"refund: {refund.status} by {refund.policy_id}")

        try:
            print("packed:", governed_pack(1042, item="a printer"))
        except Denied as denied:
            print("not packed:", denied)
        session.end()


if __name__ == "__main__":
    main()
