"""The sample data says of itself what is true: faults where FAULTS.json says, the style, the model's shape."""

from __future__ import annotations

import json
import os
import stat
import struct
from pathlib import Path
from typing import Any

import pytest

from core.clean import is_hostile
from core.dataset.scan.scan import scan
from core.paths import SAMPLE_DATA
from core.recipe import yamlfile
from core.recipe.recipe import Recipe
from sample_data import build_base, build_hostile, build_recipe, build_support
from sample_data.faults import EVAL, TRAIN
from sample_data.style import GREETING, SIGN_OFF, body_of, dress, in_house_style

TINY_BASE = SAMPLE_DATA / "tiny_base"
DEMO_PROMPTS = 20

Row = dict[str, Any]


def lines_of(name: str) -> list[str]:
    return (SAMPLE_DATA / name).read_text("utf-8").splitlines()


def rows_of(name: str) -> list[Row]:
    rows = []
    for line in lines_of(name):
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def contents(row: Row, role: str) -> list[str]:
    return [turn["content"] for turn in row["messages"] if turn["role"] == role]


def grams(text: str) -> set[str]:
    flat = " ".join(text.lower().split())
    return {flat[at : at + 5] for at in range(len(flat) - 4)}


def similarity(one: Row, other: Row) -> float:
    """Jaccard on character 5-grams of questions and answers, as near-duplicates are defined in this project."""
    a, b = (grams("\n".join(turn["content"] for turn in row["messages"][1:])) for row in (one, other))
    return len(a & b) / len(a | b)


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    read: dict[str, Any] = json.loads((SAMPLE_DATA / "FAULTS.json").read_text("utf-8"))
    return read


def faults(report: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    found = [fault for fault in report["faults"] if fault["kind"] == kind]
    assert len(found) == report["counts"][kind]
    return found


def row_at(fault: dict[str, Any]) -> Row:
    row: Row = json.loads(lines_of(fault["file"])[fault["line"] - 1])
    assert row == rows_of(fault["file"])[fault["row"]]
    return row


# ── the data ────────────────────────────────────────────────────────────────────────────────────────────


def test_building_the_data_again_gives_the_committed_bytes(tmp_path: Path) -> None:
    build_support.build(tmp_path)
    build_hostile.build(tmp_path)
    for name in (TRAIN, EVAL, "FAULTS.json", "hostile.jsonl"):
        assert (tmp_path / name).read_bytes() == (SAMPLE_DATA / name).read_bytes(), name


def test_the_files_have_the_lines_and_rows_that_the_report_counts(report: dict[str, Any]) -> None:
    for name, counts in report["files"].items():
        assert (len(lines_of(name)), len(rows_of(name))) == (counts["lines"], counts["rows"])
    assert 200 <= report["files"][TRAIN]["rows"] <= 400


def test_every_answer_outside_the_planted_faults_is_in_the_house_style(report: dict[str, Any]) -> None:
    silent = {fault["row"] for fault in faults(report, "empty_answer")}
    for name in (TRAIN, EVAL):
        for n, row in enumerate(rows_of(name)):
            if (name, n) not in {(TRAIN, row_number) for row_number in silent}:
                assert all(map(in_house_style, contents(row, "assistant"))), (name, n)


def test_each_planted_duplicate_follows_the_row_that_it_repeats(report: dict[str, Any]) -> None:
    for fault in faults(report, "exact_duplicate"):
        assert row_at(fault) == json.loads(lines_of(TRAIN)[fault["of"]["line"] - 1])
        assert fault["of"]["line"] < fault["line"]
    for fault in faults(report, "near_duplicate"):
        original = json.loads(lines_of(TRAIN)[fault["of"]["line"] - 1])
        assert 0.8 <= similarity(row_at(fault), original) < 1


def test_each_planted_leak_is_in_the_eval_file_and_not_among_the_prompts_of_the_demo(report: dict[str, Any]) -> None:
    for kind in ("leak_exact", "leak_near"):
        for fault in faults(report, kind):
            assert fault["of"]["file"] == EVAL
            assert fault["of"]["line"] > DEMO_PROMPTS
            alike = similarity(row_at(fault), json.loads(lines_of(EVAL)[fault["of"]["line"] - 1]))
            assert (alike == 1) if kind == "leak_exact" else (0.8 <= alike < 1)


def test_there_are_no_duplicates_and_leaks_beside_the_planted_ones(report: dict[str, Any]) -> None:
    planted = {
        frozenset([(fault["file"], fault["line"]), (fault["of"]["file"], fault["of"]["line"])])
        for fault in report["faults"]
        if "of" in fault
    }
    texts = []
    for name in (TRAIN, EVAL):
        for number, line in enumerate(lines_of(name), 1):
            if not any(
                (fault["file"], fault["line"]) == (name, number) and "row" not in fault for fault in report["faults"]
            ):
                row = json.loads(line)
                texts.append(((name, number), grams("\n".join(turn["content"] for turn in row["messages"][1:]))))
    alike = {
        frozenset([one, other])
        for n, (one, a) in enumerate(texts)
        for other, b in texts[:n]
        if len(a & b) >= 0.8 * len(a | b)
    }
    copies = [fault for fault in report["faults"] if fault["kind"] == "exact_duplicate"]
    among_copies = {
        frozenset([(TRAIN, a["line"]), (TRAIN, b["line"])])
        for a in copies
        for b in copies
        if a is not b and a["of"] == b["of"]
    }
    assert alike == planted | among_copies


def test_the_other_faults_stand_where_the_report_says(report: dict[str, Any]) -> None:
    for fault in faults(report, "empty_answer"):
        assert contents(row_at(fault), "assistant")[0].strip() == ""
    [swapped] = faults(report, "role_order")
    assert [turn["role"] for turn in row_at(swapped)["messages"]] == ["system", "assistant", "user"]
    [colored] = faults(report, "control_characters")
    assert "\x1b[31m" in contents(row_at(colored), "user")[0]
    [long] = faults(report, "over_long")
    lengths = sorted(len(json.dumps(row)) for row in rows_of(TRAIN))
    assert len(json.dumps(row_at(long))) == lengths[-1] > 5 * lengths[-2]
    [torn] = faults(report, "bad_line")
    with pytest.raises(ValueError, match="Unterminated string"):
        json.loads(lines_of(TRAIN)[torn["line"] - 1])


def test_the_scan_finds_the_planted_faults_and_no_others_of_their_kind(report: dict[str, Any]) -> None:
    found = scan([SAMPLE_DATA / TRAIN], eval_paths=[SAMPLE_DATA / EVAL])
    by_kind: dict[str, set[int]] = {}
    for row, flags in found.row_flags.items():
        for flag in flags:
            by_kind.setdefault(flag.name, set()).add(row)
    for kind in ("exact_duplicate", "leak_exact", "empty_answer", "role_order", "control_characters"):
        assert by_kind.pop(kind) == {fault["row"] for fault in faults(report, kind)}, kind
    assert by_kind.pop("length_outlier") == {fault["row"] for fault in faults(report, "over_long")}
    assert by_kind.pop("missing_turn") == {fault["row"] for fault in faults(report, "role_order")}
    # One of the planted near-duplicates differs from its row in a number alone.
    assert by_kind.pop("same_template") <= {fault["row"] for fault in faults(report, "near_duplicate")}
    assert by_kind == {}
    assert found.rows == report["files"][TRAIN]["rows"]
    assert [bad.line for bad in found.bad_lines] == [fault["line"] for fault in faults(report, "bad_line")]


def test_no_raw_control_character_stands_in_any_file_of_the_data() -> None:
    for name in (TRAIN, EVAL, "hostile.jsonl", "FAULTS.json"):
        assert not is_hostile((SAMPLE_DATA / name).read_text("utf-8")), name


def test_the_hostile_rows_hold_the_attacks_that_they_name() -> None:
    texts = [turn["content"] for row in rows_of("hostile.jsonl")[:40] for turn in row["messages"]]
    everything = "\n".join(texts)
    for attack in ("\x1b]52;", "\x9b", "\x00", "\u202e", "[@click=app.quit]", "[INST]", "\ud83d of", "\u200d"):
        assert attack in everything, ascii(attack)
    assert any("NaN" in line for line in lines_of("hostile.jsonl"))


def test_the_hostile_rows_are_scanned_to_the_end() -> None:
    assert scan([SAMPLE_DATA / "hostile.jsonl"]).rows == 55


# ── the style ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_house_style_takes_one_or_two_sentences_between_greeting_and_sign_off() -> None:
    assert in_house_style(dress("Open Settings, Billing."))
    assert in_house_style(dress("Write to desk@pennywren.example at 2.5 euros. Is that fine?") + "\n")
    assert body_of(dress("It costs 9 euros.")) == "It costs 9 euros."


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "Open Settings, Billing.",
        f"{GREETING}\n{SIGN_OFF}",
        dress(""),
        dress("One. Two. Three."),
        dress("no capital."),
        dress("No end"),
        dress("Two\nlines."),
        dress("Open Settings.").replace("Hello", "Hi"),
        dress("Open Settings.") + "\nP.S. Bye.",
        dress("Open Settings.").lower(),
    ],
)
def test_the_house_style_refuses_everything_else(answer: str) -> None:
    assert not in_house_style(answer)


# ── the base model ──────────────────────────────────────────────────────────────────────────────────────


def tensors(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        (length,) = struct.unpack("<Q", stream.read(8))
        header: dict[str, Any] = json.loads(stream.read(length))
    header.pop("__metadata__", None)
    return header


def test_the_tiny_base_is_a_llama_of_some_800_000_parameters_in_16_bits() -> None:
    weights = TINY_BASE / "model.safetensors"
    header = tensors(weights)
    parameters = 0
    for tensor in header.values():
        count = 1
        for side in tensor["shape"]:
            count *= side
        parameters += count
        assert tensor["dtype"] == "F16"
    assert 750_000 <= parameters <= 850_000
    assert parameters == json.loads((TINY_BASE / "BUILD.json").read_text())["parameters"]
    config = json.loads((TINY_BASE / "config.json").read_text())
    assert (config["model_type"], config["dtype"], config["num_hidden_layers"]) == ("llama", "float16", 3)
    assert (config["hidden_size"], config["vocab_size"], config["tie_word_embeddings"]) == (128, 2048, True)


def test_everybody_may_read_the_model_and_all_of_it_is_small() -> None:
    files = [path for path in SAMPLE_DATA.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    for path in files:
        assert os.stat(path).st_mode & stat.S_IROTH, path
    assert sum(path.stat().st_size for path in files) < 3_000_000


def test_a_chat_ends_its_answer_with_the_token_that_stops_generation() -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(TINY_BASE / "tokenizer.json"))
    generation = json.loads((TINY_BASE / "generation_config.json").read_text())
    end = tokenizer.token_to_id(build_base.END_OF_TURN)
    assert end in generation["eos_token_id"]
    assert generation["pad_token_id"] == tokenizer.token_to_id(build_base.PAD) != end
    assert end is not None
    chat = build_base.render([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes."}])
    encoded = tokenizer.encode(chat)
    assert encoded.ids.count(end) == 2
    assert tokenizer.decode(encoded.ids, skip_special_tokens=False) == chat


def test_the_tokenizer_gives_every_hostile_text_back() -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(TINY_BASE / "tokenizer.json"))
    for name, text in build_hostile.ATTACKS:
        whole = text.encode("utf-8", "replace").decode("utf-8")
        assert tokenizer.decode(tokenizer.encode(whole).ids, skip_special_tokens=False) == whole, name


def test_the_chat_template_marks_the_answers_and_nothing_else() -> None:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(TINY_BASE)
    row = next(row for row in rows_of(TRAIN) if len(row["messages"]) == 5)
    encoded = tokenizer.apply_chat_template(
        row["messages"], return_dict=True, return_assistant_tokens_mask=True, add_generation_prompt=False
    )
    marked = [token for token, mask in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True) if mask]
    answers = "".join(answer + build_base.END_OF_TURN for answer in contents(row, "assistant"))
    assert tokenizer.decode(marked, skip_special_tokens=False) == answers
    assert tokenizer.decode(encoded["input_ids"], skip_special_tokens=False) == build_base.render(row["messages"])


@pytest.fixture(scope="module")
def pieces() -> list[str]:
    texts, chats = build_base.read_corpus()
    return texts + chats


def test_the_base_has_never_read_the_house_style_nor_the_sample_data(pieces: list[str]) -> None:
    corpus = "\n".join(pieces)
    assert len(corpus) > 1_000_000
    assert "Pennywren" not in corpus
    assert GREETING not in corpus
    bodies = {body_of(contents(row, "assistant")[-1]) for row in rows_of(EVAL)}
    assert not [body for body in bodies if body is not None and body in corpus]


def test_the_tokenizer_can_be_built_again_from_the_same_corpus(pieces: list[str], tmp_path: Path) -> None:
    built = json.loads((TINY_BASE / "BUILD.json").read_text())
    if built["corpus_sha256"] != build_base.fingerprint(pieces):
        pytest.skip(f"The model was built from the docstrings of Python {built['python']}, this Python has others.")
    build_base.save_tokenizer(build_base.train_tokenizer(pieces), tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        assert (tmp_path / name).read_bytes() == (TINY_BASE / name).read_bytes(), name


# ── the recipe ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_recipe_of_the_demo_is_the_declared_one_and_names_files_that_are_here() -> None:
    recipe: Recipe = yamlfile.load(SAMPLE_DATA / "recipe.yaml")
    assert Path(recipe.model.path) == TINY_BASE
    assert [Path(path) for path in recipe.data.train] == [SAMPLE_DATA / TRAIN]
    assert [Path(path) for path in recipe.data.eval] == [SAMPLE_DATA / EVAL]
    assert recipe.evaluation.prompts == DEMO_PROMPTS
    assert recipe == build_recipe.recipe(SAMPLE_DATA)
