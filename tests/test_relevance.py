"""What a goal finds, what it does not, and how sure that is."""

from __future__ import annotations

import sys
from collections.abc import Callable
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cra.atlas.model import Action, Atlas, Capability, ContextPack
from cra.resolver.documents import documents, pack_key
from cra.resolver.relevance import MAX_GOAL, Document, Relevance, Scored
from tests.corpus import Goal, corpus

# A little under what the lower half of the goals reaches.
FLOORS = {"precision at 5": 0.30, "recall at 5": 0.88, "mean reciprocal rank": 0.83}

# No two of one stem, none another's beginning, none an operation.
NOUNS = ["apple", "river", "stone", "candle", "window", "garden", "pepper", "silver", "carpet"]

TEXTS = st.text(st.one_of(st.characters(), st.characters(categories=["Cs", "Mn", "Co", "Cn"])))


def said(**descriptions: str) -> Relevance:
    return Relevance([Document(id_, {"description": it}) for id_, it in descriptions.items()])


def found(index: Relevance, goal: str, *hints: str) -> list[str]:
    return [one.id for one in index.score(goal, hints)]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    def say(text: str) -> None:
        with capsys.disabled():
            sys.stderr.write(f"\n{text}")

    return say


@pytest.mark.parametrize(
    ("goal", "description"),
    [
        ("refunds for two customers", "Refund a customer"),
        ("the invoice was being cancelled", "Cancels invoices"),
        ("analyze the numbers", "Analyses of figures"),
        ("organised by name", "Organizes entries"),
        ("verification of an address", "Verifies an address"),
        ("reconcile", "Bank reconciliation"),
        ("subscribers", "Cancel a subscription"),
        ("the letter was written", "Write a letter"),
        ("paid", "Pay an invoice"),
    ],
)
def test_inflections_match(goal, description):
    assert found(said(it=description, other="A candle"), goal) == ["it"]


@pytest.mark.parametrize(
    ("goal", "description"),
    [
        ("close tickets", "ticket.close_all"),
        ("issue a refund", "billing.issueRefund"),
        ("an HTTP server", "HTTPServer"),
        ("ticketCloseAll", "close a ticket"),
        ("ticket-close", "close a ticket"),
        ("log in with oauth2", "OAuth2"),
        ("github", "Open an issue on GitHub"),
        ("GitHub", "open an issue on github"),
        ("our NDAs", "Sign an NDA"),
        ("urls", "Shorten a URL"),
    ],
)
def test_ids_and_compounds_are_split(goal, description):
    assert found(said(it=description, other="A candle"), goal) == ["it"]


@pytest.mark.parametrize(
    ("goal", "description"),
    [
        ("CAFÉ in Zürich", "cafe"),
        ("Straße", "STRASSE"),
        ("ﬁle", "a file"),
        ("\uff52\uff45\uff46\uff55\uff4e\uff44", "refund"),
        ("请退款订单", "客户退款"),
        ("払い戻しをする", "払い戻し"),
        ("환불을 요청", "환불"),
        ("คืนเงินลูกค้า", "การคืนเงิน"),
        ("ΑΘΗΝΑ", "αθηνα"),
        ("рефанд", "Рефанд"),
    ],
)
def test_every_script_is_read(goal, description):
    assert found(said(it=description, other="蝋燭 candle"), goal) == ["it"]


def test_a_vowel_sign_belongs_to_its_word():
    assert found(said(hindi="हिन्दी", number="हजार"), "हिन्दी में") == ["hindi"]


@pytest.mark.parametrize(
    ("goal", "description"),
    [
        ("the repo", "Every repository"),
        ("repository", "Clone the repo"),
        ("change the config", "Configuration of a host"),
        ("DB", "A database"),
        ("erase the stone", "Delete a stone"),
        ("look up a stone", "Find a stone"),
        ("fetch the stone", "Show a stone"),
    ],
)
def test_short_forms_and_other_verbs_match(goal, description):
    assert found(said(it=description, other="A candle"), goal) == ["it"]


def test_the_verb_that_was_said_counts_more_than_one_like_it():
    index = said(a="Delete a stone", b="Remove a stone", c="Paint a stone")

    assert found(index, "remove the stone") == ["b", "a", "c"]


@pytest.mark.parametrize("typo", ["refnud", "refudn", "refunnd", "refun", "revund", "refunsd"])
def test_a_slip_of_the_finger_still_finds(typo):
    assert found(said(it="Refund a customer", other="A candle"), f"a {typo} today") == ["it"]


def test_a_word_that_is_known_is_not_taken_for_a_slip():
    assert found(said(form="Fill a form", farm="Buy a farm"), "farm") == ["farm"]


@given(st.lists(st.text("qxz", min_size=4, max_size=9)))
def test_unknown_words_change_nothing(unknown):
    index = said(**{noun: f"Move the {noun} there" for noun in NOUNS})

    assert index.score(" ".join(["a river", *unknown])) == index.score("a river")


@given(st.data())
def test_the_order_of_the_documents_changes_nothing(data):
    texts = data.draw(st.lists(st.lists(st.sampled_from(NOUNS)).map(" ".join), min_size=1))
    given_ = [Document(f"{number}", {"name": text}) for number, text in enumerate(texts)]
    goal = " ".join(data.draw(st.lists(st.sampled_from([*NOUNS, "rivre", "GitHub", "4711"]))))
    hints = data.draw(st.lists(st.sampled_from(NOUNS)))
    shuffled = Relevance(data.draw(st.permutations(given_)))

    assert shuffled.score(goal, hints) == Relevance(given_).score(goal, hints)


def test_what_is_as_relevant_is_ordered_by_id():
    assert found(said(b="A stone", c="A stone", a="A stone"), "stones") == ["a", "b", "c"]


@given(st.lists(TEXTS), TEXTS, st.lists(TEXTS))
def test_no_text_is_refused_and_relevance_is_a_share(texts, goal, hints):
    index = Relevance([Document(str(at), {"contents": text}) for at, text in enumerate(texts)])
    scored = index.score(goal, hints)

    assert all(0 < one.relevance < 1 for one in scored)
    assert scored == sorted(scored, key=lambda one: (-one.relevance, one.id))
    assert 0 <= index.confidence(goal, {one.id for one in scored}) <= 1


@pytest.mark.parametrize(
    "hostile",
    [
        "\ud800\udfff lone \udc80",
        "\x00\x1b[31m\u202e\u2066\ufeff",
        "\u0301" * 5000,
        "a" + "\u0301" * 5000,
        "\ufdfa" * 5000,
        "İıſẞŉ" * 1000,
        "\U000e0041\U0001f468\u200d\U0001f469",
        "x" * 100_000,
        "aA" * 50_000,
        "\r\n\u2028\u0085",
    ],
)
def test_hostile_text_raises_nothing_and_hides_nothing(hostile):
    index = said(hostile=hostile, river="A river")

    assert found(index, "river") == ["river"]
    assert all(0 < one.relevance < 1 for one in index.score(hostile, [hostile]))
    assert index.confidence(hostile, {"river"}) == 0.0


@given(st.data())
def test_more_of_the_goal_never_ranks_lower_at_the_same_length(data):
    length = data.draw(st.integers(1, len(NOUNS)))
    choice = st.lists(st.sampled_from(NOUNS), min_size=length, max_size=length, unique=True)
    texts = data.draw(st.lists(choice, min_size=2))
    goal = set(data.draw(st.lists(st.sampled_from(NOUNS), min_size=1)))
    index = said(**{str(at): " ".join(text) for at, text in enumerate(texts)})
    relevance = dict(index.score(" ".join(sorted(goal))))

    for more, one in enumerate(texts):
        for less, other in enumerate(texts):
            if goal.intersection(one) >= goal.intersection(other):
                assert relevance.get(str(more), 0) >= relevance.get(str(less), 0)


def test_a_rare_word_counts_more_than_a_common_one():
    index = said(a="river stone", b="river garden", c="river window", d="candle apple")

    assert found(index, "the river by candle light")[0] == "d"


@pytest.mark.parametrize("goal", ["", " \n", "?!", "could you please help me with this", "xyzzy"])
def test_a_goal_without_a_known_word_gives_nothing(goal):
    index = said(river="Could you help with this river?")

    assert index.score(goal) == []
    assert index.confidence(goal, {"river"}) == 0.0


def test_an_index_of_nothing_gives_nothing():
    assert Relevance([]).score("a river") == []
    assert Relevance([]).confidence("a river", set()) == 0.0


def test_of_a_long_goal_the_beginning_is_read():
    index = said(river="A river", stone="A stone")
    long = "river ".ljust(MAX_GOAL)

    assert index.score(long + "stone" * 20_000) == index.score("river")
    assert index.confidence(long + "stone" * 20_000, {"river"}) == 1.0
    assert index.score("", [long, "stone"]) == index.score("", ["river"])


def test_a_hint_finds_and_counts_less_than_the_goal():
    index = said(river="A river", stone="A stone", apple="An apple")

    assert found(index, "a river", "stone") == ["river", "stone"]
    assert index.score("river", ["river"]) == index.score("river")
    assert index.confidence("a river", {"stone"}) == 0.0


def test_what_names_a_thing_counts_more_than_what_is_told_of_it():
    river = "river"
    index = Relevance(
        [
            Document("named", {"name": river}),
            Document("described", {"description": river}),
            Document("surrounded", {"subject": river}),
        ]
    )

    assert found(index, river) == ["named", "described", "surrounded"]


def test_a_further_mention_adds_and_a_longer_text_dilutes():
    index = said(a="river " * 3 + "stone", b="river stone apple pepper", c="river stone")

    assert found(index, "river") == ["a", "c", "b"]


def test_an_id_has_one_document():
    with pytest.raises(ValueError, match="each id once"):
        Relevance([Document("a", {}), Document("a", {})])


def test_confidence_is_the_share_of_the_goal_that_was_matched():
    index = said(river="A river", stone="A stone", apple="An apple")

    assert index.confidence("rivers and stones", {"river", "stone"}) == 1.0
    assert index.confidence("rivers and stones", {"river"}) == 0.5
    assert index.confidence("rivers and stones", {"apple"}) == 0.0
    assert index.confidence("rivers and stones", set()) == 0.0


def test_unknown_words_lower_the_confidence_and_unknown_numbers_do_not():
    index = said(river="A river", stone="A stone")

    assert index.confidence("river xyzzy", {"river"}) == 0.5
    assert index.confidence("river 4711 A17", {"river"}) == 1.0


def test_what_only_stands_for_a_word_lowers_the_confidence():
    index = said(river="Show a river", stone="A stone")

    assert 0.5 < index.confidence("fetch the rivre", {"river"}) < 1.0


@given(st.data())
def test_more_that_matched_is_never_less_confidence(data):
    index = said(**{noun: f"Show the {noun}" for noun in NOUNS})
    goal = " ".join(data.draw(st.lists(st.sampled_from([*NOUNS, "xyzzy", "rivre", "list"]))))
    more = data.draw(st.sets(st.sampled_from(NOUNS)))
    less = data.draw(st.sets(st.sampled_from(sorted(more)))) if more else set()

    assert index.confidence(goal, less) <= index.confidence(goal, more)


DEEP: list = []
for _ in range(5000):
    DEEP = [DEEP]

ATLAS = Atlas(
    atlas_id="org.example.shop",
    version="1.0.0",
    name="Garden shop",
    description="",
    actions=(
        Action(
            "order.close",
            "Close order",
            "Ends an order",
            {
                "properties": {
                    "carpetColour": {"type": "string", "description": "As in the catalogue"},
                    "lines": {"items": {"properties": {"pepper": True}}},
                }
            },
            examples=({"note": ["silver"], "count": 3, "deep": DEEP},),
        ),
        Action("box.paint", "Paint box", "", {}),
    ),
    policies=(),
    context_packs=(
        ContextPack("returns", "Returns", ("returns.md", "gone.md"), purpose="When stone breaks"),
    ),
    capabilities=(Capability("c", "Wrapping", "Work by candle light", ("order.close",)),),
    dependencies={},
    files={"returns.md": b"# Apples\n\nThey come back from the river. \xff\n"},
    digest="",
)


@pytest.mark.parametrize(
    ("goal", "id_"),
    [
        ("orders", "order.close"),
        ("a catalogue", "order.close"),
        ("carpets", "order.close"),
        ("pepper", "order.close"),
        ("silver", "order.close"),
        ("wrap by candle light", "order.close"),
        ("broken stones", "org.example.shop/returns"),
        ("an apple", "org.example.shop/returns"),
        ("rivers", "org.example.shop/returns"),
        ("painting", "box.paint"),
    ],
)
def test_all_that_an_atlas_says_of_a_thing_finds_it(goal, id_):
    index = Relevance(list(documents(ATLAS)))

    assert found(index, goal) == [id_]
    assert index.confidence(goal, {id_}) == 1.0


def test_a_pack_has_a_key_of_its_own_in_each_atlas():
    other = ATLAS._replace(atlas_id="org.example.other", actions=())
    index = Relevance([*documents(ATLAS), *documents(other)])

    assert set(found(index, "an apple")) == {
        pack_key("org.example.shop", "returns"),
        pack_key("org.example.other", "returns"),
    }


@pytest.fixture(scope="module")
def index() -> Relevance:
    return Relevance([one for atlas in corpus().atlases for one in documents(atlas)])


def ranked(index: Relevance, goal: Goal) -> list[Scored]:
    """Of actions and packs, which a resolution lists apart, those that are asked for."""
    return [one for one in index.score(goal.text) if ("/" in one.id) == (goal.kind == "pack")]


def measured(index: Relevance, goals: list[Goal]) -> dict[str, float]:
    ranks = []
    for goal in goals:
        ids = [one.id for one in ranked(index, goal)]
        ranks.append([at for at, id_ in enumerate(ids, 1) if id_ in goal.right])
    hits = [sum(rank <= 5 for rank in found) for found in ranks]
    wanted = [min(5, len(goal.right)) for goal in goals]
    return {
        "precision at 5": fmean(hit / 5 for hit in hits),
        "recall at 5": fmean(hit / want for hit, want in zip(hits, wanted, strict=True)),
        "mean reciprocal rank": fmean(1 / found[0] if found else 0 for found in ranks),
        "of at most": fmean(want / 5 for want in wanted),
    }


def test_the_corpus_is_as_large_as_it_says():
    atlases, goals = corpus()

    assert len(atlases) == 50
    assert len({action.action_id for atlas in atlases for action in atlas.actions}) == 2000
    assert sum(len(atlas.context_packs) for atlas in atlases) == 150
    assert len({goal.text for goal in goals}) >= 300


@pytest.mark.parametrize("held_out", [False, True], ids=["looked at", "held out"])
def test_goals_find_what_is_right_for_them(index, say, held_out):
    goals = [goal for goal in corpus().goals if goal.is_held_out == held_out]
    for kind in dict.fromkeys(goal.kind for goal in goals):
        numbers = measured(index, [goal for goal in goals if goal.kind == kind])
        say(f"  {kind}: " + ", ".join(f"{name} {value:.3f}" for name, value in numbers.items()))
    numbers = measured(index, goals)
    say(f"{len(goals)} goals: " + ", ".join(f"{name} {it:.3f}" for name, it in numbers.items()))

    assert {name for name, floor in FLOORS.items() if numbers[name] < floor} == set()
