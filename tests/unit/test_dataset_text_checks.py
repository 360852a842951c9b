"""The checks of what a text says: each finds its fault, leaves the near miss alone, and quotes no secret."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dataset.checks import CHECKS, Context
from core.dataset.checks.personal import checksum_holds
from core.dataset.item import Item
from core.dataset.sample import Message, Sample
from core.dataset.scan.scan import scan
from tests.unit.test_dataset_checks import ask, chat, flags, reason

DIGITS = "7391824650"
LETTERS = "aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vWxYz"


def test_a_row_with_other_numbers_names_the_first_of_its_template() -> None:
    first, second = ask("How much is 3 + 4 apples?", "It is 7."), ask("How much is 30 + 1,400 apples?", "It is 1,430.")
    other, same = ask("How much are 3 + 4 pears?", "It is 7."), ask("How MUCH is 3 + 4 apples?", "It is 7.")
    found = flags("same_template", first, second, other, same)
    assert [flag.of if flag else None for flag in found] == [None, 0, None, None]
    assert flags("same_template", ask("1", "2"), ask("3", "4")) == [None, None]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Itâ€™s here", "â€™ instead of ’"),
        ("naÃ¯ve", "Ã¯ instead of ï"),
        ("20 Â°C", "Â° instead of °"),
        ("smile ðŸ˜€", "ðŸ"),
        ("Ð¿Ñ€Ð¸Ð²ÐµÑ‚", "instead of при"),
        ("ä½\xa0å¥½ï¼Œä¸–ç•Œä¸–ç•Œ", "instead of"),
        ("lost \ufffd\ufffd", "2 lost characters"),
    ],
)
def test_mojibake_is_found_and_read_back(text: str, words: str) -> None:
    assert words in reason("mojibake", ask("q", text))


@pytest.mark.parametrize(
    "text", ["« café… »", "AMANHÃ”", "“CAFÉ”", "L’ESPAÑOL – SEÑOR", "il était…\xa0là", "Ça va", "你好", "naïve Â b"]
)
def test_accents_and_quotes_in_good_text_are_no_mojibake(text: str) -> None:
    assert reason("mojibake", ask("q", text)) == ""


@pytest.mark.parametrize(
    "text",
    [
        "Well. " + "I do not know. " * 20,
        "word " * 60,
        "An introduction of some length that says this and that first, so that the loop comes late. " * 5 + "End.",
        "x" * 999 + " the cat sat on the mat and" * 12,
        "她说不知道，" * 60,
    ],
)
def test_loops_are_found_wherever_they_begin(text: str) -> None:
    assert "times in a row" in reason("repetition_loop", ask("q", text))


@pytest.mark.parametrize(
    "text",
    [
        "ha " * 12,
        "-" * 500,
        "| --- " * 90,
        "0, " * 200,
        "The chorus comes twice here. " * 2 + "Then something new follows that was not said before, and it ends.",
        " ".join(f"Step {number}: turn the wheel by {number * 7} degrees." for number in range(40)),
    ],
)
def test_rules_tables_and_refrains_are_no_loops(text: str) -> None:
    assert reason("repetition_loop", ask("q", text)) == ""


@pytest.mark.parametrize(
    "answer",
    [
        "As an AI language model, I don't have feelings.",
        "I’m sorry, but I can’t assist with that.",
        "I apologize, but I cannot provide that.",
        "I'm sorry, but as an AI, I can't order a pizza.",
        "  Sorry, but I won't write that.",
        "My apologies for any trouble, but I cannot share this.",
        "Of course. As a language model I do not have opinions.",
        "Icannot comply with that.",
        "抱歉，但作为模型，我不能说。",
        "Unfortunately, I am unable to help you.",
        "作为一个人工智能语言模型，我无法回答。",
        "很抱歉，我无法提供。",
    ],
)
def test_stock_refusals_are_found(answer: str) -> None:
    assert reason("refusal", ask("q", answer)).startswith("the assistant says ")


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry to hear that. Try again tomorrow.",
        "I'm sorry, but I can't come to your party.",
        "As an AI researcher, she published widely.",
        "You can say: 'Sorry, I cannot make it on Monday.'",
        "我们无法确定。",
    ],
)
def test_a_person_who_is_sorry_does_not_refuse(answer: str) -> None:
    assert reason("refusal", ask("As an AI language model, I cannot what?", answer)) == ""


def test_the_rejected_answer_may_refuse() -> None:
    refused = (Message("assistant", "As an AI language model, I cannot do that."),)
    good = (Message("assistant", "Here it is."),)
    assert not reason("refusal", Sample("preference", (Message("user", "q"),), chosen=good, rejected=refused))
    assert reason("refusal", Sample("preference", (Message("user", "q"),), chosen=refused, rejected=good))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("write to ada.lovelace@analytical-engine.co.uk.", "email address (...@analytical-engine.co.uk)"),
        ("call (212) 736-5000 now", "phone number (...5000)"),
        ("call 1-212-736-5000", "phone number (...5000)"),
        ("ring +44 20 7946 0958", "phone number (...0958)"),
        ("手机：13800457921", "phone number (...7921)"),
        ("card 4539 1488 0343 6467", "payment card (...6467)"),
        ("card 371449635398431.", "payment card (...8431)"),
    ],
)
def test_personal_data_is_found_and_not_repeated(text: str, words: str) -> None:
    found = reason("personal_data", ask("q", text))
    assert words in found
    assert not any(private in found for private in ("ada.lovelace", "736", "7946", "1380", "4539", "3714"))


@pytest.mark.parametrize(
    "text",
    [
        "mail me at jane@example.com or you@yourdomain.com",
        "git@github.com:a/b.git and logo@2x.png and @someone",
        "call 555-0123 or (555) 123-4567 or 123-456-7890",
        "toll-free 1-800-736-5000",
        "from 1990-1995, 2020-01-15, 192.168.100.1000",
        "ISBN 978-3-16-148410-0",
        "256626720691 + 4646615806005 = 4903242526696",
        "card 4539 1488 0343 6468",
        "card 4242 4242 4242 4242",
        "order 4539148803436467123456",
    ],
)
def test_examples_dates_and_sums_are_no_personal_data(text: str) -> None:
    assert reason("personal_data", ask("q", text)) == ""


@given(st.text("0123456789", min_size=2, max_size=19), st.integers(1, 9))
def test_the_checksum_notices_any_wrong_digit(digits: str, change: int) -> None:
    good = next(digits + str(last) for last in range(10) if checksum_holds(digits + str(last)))
    assert not checksum_holds(str((int(good[0]) + change) % 10) + good[1:])


SECRETS = {
    "an AWS access key": "AKIA" + "J7QX2MZK5VRT4WNB",
    "a GitHub token": "ghp_" + LETTERS + "A",
    "a GitLab token": "glpat-" + LETTERS[:20],
    "an API key": "sk-proj-" + LETTERS,
    "a Stripe key": "sk_live_" + LETTERS[:24],
    "a Slack token": "xoxb-" + DIGITS + "-" + LETTERS,
    "a Google API key": "AIza" + LETTERS,
    "a Hugging Face token": "hf_" + LETTERS[:34],
    "a private key": "-----BEGIN RSA PRIVATE KEY-----\n" + LETTERS * 2,
    "a JSON web token": f"eyJ{LETTERS[:20]}.eyJ{LETTERS}.{LETTERS}",
}


@pytest.mark.parametrize("kind", SECRETS)
def test_keys_and_tokens_are_named_and_not_repeated(kind: str) -> None:
    found = reason("secret", ask("q", f"use {SECRETS[kind]} here"))
    assert found.startswith(kind)
    assert LETTERS[:8] not in found


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "sk-your-key-goes-here-and-nowhere-else",
        "ghp_" + "a" * 36,
        "task-" + "abcdefghij" * 4,
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----\n" + LETTERS * 2,
        "eyJhbGciOiJIUzI1NiJ9 alone",
    ],
)
def test_stand_ins_for_keys_are_none(text: str) -> None:
    assert reason("secret", ask("q", text)) == ""


ENGLISH = ask("What is the best way to cook rice?", "You should wash it first, and then boil it with salt.")
FRENCH = ask(
    "Quelle est la meilleure façon de cuire le riz ?", "Il faut le laver, et le cuire dans une eau salée pour vous."
)
CHINESE = ask("怎样煮米饭最好吃？请告诉我。", "先把米洗干净，然后加水煮二十分钟就可以了。")  # fmt: skip


def test_a_row_in_another_language_is_found_once_nearly_all_share_one() -> None:
    code, short = ask("Fix: for i in range(3): print(i)", "while True: pass"), ask("2 + 2", "4")
    mixed = ask("Translate this into English for me: 怎样煮米饭最好吃？", "What is the best way to cook the rice?")
    found = flags("language", *[ENGLISH] * 30, FRENCH, CHINESE, code, short, mixed)
    named = {row: flag.reason.split(";")[0] for row, flag in enumerate(found) if flag}
    assert named == {30: "looks like French", 31: "looks like Chinese"}
    assert not any(flags("language", *[ENGLISH] * 15, *[FRENCH] * 15))
    assert not any(flags("language", *[ENGLISH] * 5, FRENCH))


def test_a_system_prompt_that_nearly_no_row_has_is_found() -> None:
    usual = chat(("system", "Be brief."), ("user", "q"), ("assistant", "a"))
    other = chat(("system", "Be rude."), ("user", "q"), ("assistant", "a"))
    none = ask("q", "a")
    found = flags("system_prompt", *[usual] * 30, other, none)
    assert [row for row, flag in enumerate(found) if flag] == [30, 31]
    assert found[31] is not None
    assert "no system prompt" in found[31].reason
    assert not any(flags("system_prompt", *[usual] * 15, *[other] * 15))
    added = flags("system_prompt", *[none] * 30, usual)[30]
    assert added is not None
    assert added.reason == "has a system prompt; 30 of 31 rows have none"


def test_rows_of_a_rare_label_are_found_where_answers_are_labels() -> None:
    found = flags("label_imbalance", *[ask("q", "ham")] * 95, *[ask("q", "spam")] * 5)
    assert [row for row, flag in enumerate(found) if flag] == [95, 96, 97, 98, 99]
    assert found[99] is not None
    assert found[99].reason == "spam is the answer in 5 rows, ham in 95"
    assert not any(flags("label_imbalance", *[ask("q", "ham")] * 80, *[ask("q", "spam")] * 20))
    assert not any(
        flags("label_imbalance", *[ask("q", "ham")] * 95, ask("q", "A sentence that goes on and on is no label."))
    )
    assert not any(flags("label_imbalance", *[ask("q", "yes")] * 60, *[ask("q", str(n)) for n in range(30)]))


@pytest.mark.parametrize(
    "text", ["ESTE LIBRO CONTIENE TODO", "ctx := context.TODO()", "{{ form.as_p }}", "[Enter JOHN]"]
)
def test_spanish_go_and_stage_directions_are_no_placeholders(text: str) -> None:
    assert reason("placeholder", ask("q", text)) == ""


@pytest.mark.parametrize("text", ["// TODO: write", "x\nTODO", "TODO(ada) later", "[Enter your name]", "<insert date>"])
def test_notes_and_gaps_are_placeholders(text: str) -> None:
    assert reason("placeholder", ask("q", text))


PIECES = st.text(st.characters(), max_size=12) | st.sampled_from(
    ["Â", "â€", "@", "a@b.co", "+1", "4539 ", "000-0000", "sk-", "eyJ", "-----BEGIN PRIVATE KEY-----", "TODO", "{{",
     "I'm sorry, "]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=8).flatmap(lambda parts: st.integers(1, 40).map(lambda times: "".join(parts) * times))
TURNS = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant", "tool"]), TEXTS, reasoning=TEXTS), max_size=4
).map(tuple)
SAMPLES = st.builds(
    Sample, st.sampled_from(["messages", "text", "preference", "kto"]), TURNS, TEXTS, TURNS, TURNS,
    st.none() | st.booleans(),
)  # fmt: skip


@given(st.lists(SAMPLES | st.none(), max_size=4), st.integers(1, 30))
@settings(deadline=None, max_examples=20)
def test_no_sample_makes_a_check_fail(samples: list[Sample | None], times: int) -> None:
    rows = samples * times
    for each in CHECKS:
        check = each(Context())
        found = [check.inspect(Item(row, sample, error="why")) for row, sample in enumerate(rows)]
        late = list(check.finish())
        assert all(flag is None or flag.reason for flag in found)
        assert all(0 <= row < len(rows) and flag.reason for row, flag in late)


def test_public_files_have_the_faults_that_were_read_by_eye(public_data: Path) -> None:
    expected = {
        "alpaca_en_demo.json": {"refusal": 17, "personal_data": 0, "secret": 0, "mojibake": 0, "language": 0},
        "c4_demo.jsonl": {"personal_data": 10, "mojibake": 4, "refusal": 0, "repetition_loop": 0},
        "kto_en_demo.json": {"repetition_loop": 1, "mojibake": 2, "refusal": 3, "label_imbalance": 0},
        "gsm8k_test.jsonl": {"same_template": 0, "personal_data": 0, "language": 0, "system_prompt": 0},
    }
    for name, counts in expected.items():
        found = scan(public_data / name).flags
        assert {check: found[check] for check in counts} == counts, name
