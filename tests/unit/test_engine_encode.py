"""The loss mask: what is trained is the answers with their end, no more and no less, and it is what TRL trains."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trl
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import TemplateError

from core.dataset.sample import Message, Sample
from core.engine import encode as encoding
from core.engine import generate
from core.engine.encoded import MASKED, Encoded, EncodingSettings, Sequence
from core.engine.load import load_tokenizer
from core.engine.pieces import TokenText, lost_text, parts_of
from core.engine.samples import ViewRow, encode_view
from core.engine.talks import collate
from core.engine.template import Template, as_template_turn, use_template
from core.errors import BadInput
from core.paths import SAMPLE_DATA
from core.recipe import templates
from core.recipe.recipe import Model, Recipe, put
from tests.kit.chat_talks import IN_TRL, MARKED_BY_ITSELF, MISTRAL, TURNS, end_of, of_trl

BASE = Model(path=str(SAMPLE_DATA / "tiny_base"))
END = "<|im_end|>"


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(BASE)


@pytest.fixture(scope="module")
def template(tokenizer: Any) -> Template:
    return use_template(tokenizer, "")


def _talk(*turns: tuple[str, str], trained: bool = True) -> Sample:
    return Sample("messages", tuple(Message(role, text, trained=trained) for role, text in turns))  # type: ignore[arg-type]


def encode(sample: Sample, tokenizer: Any, settings: EncodingSettings, *, with_text: bool = False) -> Sequence:
    """The one sequence that supervised training makes of a sample."""
    (sequence,) = encoding.encode(sample, tokenizer, settings, with_text=with_text).sequences
    return sequence


def _whole(sequence: Sequence) -> Encoded:
    return Encoded(({"input_ids": sequence.input_ids, "labels": sequence.labels},), (sequence,), {})


def _pieces(encoded: Encoded, tokenizer: Any, settings: EncodingSettings) -> list[TokenText]:
    (part,) = parts_of(encoded, tokenizer, settings)
    return part.pieces


def _trained(encoded: Sequence, tokenizer: Any) -> str:
    text: str = tokenizer.decode([label for label in encoded.labels if label != MASKED])
    return text


CONVERSATION = _talk(
    ("system", "Answer like a pirate."),
    ("user", "Where is the ship?"),
    ("assistant", "Arr, in the bay!"),
    ("user", "And 日本 😀?"),
    ("assistant", "Far away, naïve friend 😀"),
)


def test_each_answer_of_a_conversation_is_trained_with_its_end_and_nothing_else(
    tokenizer: Any, template: Template
) -> None:
    encoded = encode(CONVERSATION, tokenizer, EncodingSettings(template, 512))
    assert _trained(encoded, tokenizer) == f"Arr, in the bay!{END}Far away, naïve friend 😀{END}"
    assert encoded.trained_tokens == sum(label != MASKED for label in encoded.labels)
    assert encoded.lost_tokens == 0


def test_everything_is_trained_when_the_recipe_says_so(tokenizer: Any, template: Template) -> None:
    encoded = encode(CONVERSATION, tokenizer, EncodingSettings(template, 512, loss_on="everything"))
    assert encoded.labels == encoded.input_ids
    assert encoded.trained_tokens == len(encoded.input_ids) - 1


def test_a_turn_that_the_data_takes_out_of_the_loss_is_not_trained(tokenizer: Any, template: Template) -> None:
    turns = list(CONVERSATION.messages)
    turns[2] = Message("assistant", turns[2].content, trained=False)
    sample = Sample("messages", tuple(turns))
    for loss_on in ("answers", "everything"):
        encoded = encode(sample, tokenizer, EncodingSettings(template, 512, loss_on=loss_on))
        assert "Arr" not in _trained(encoded, tokenizer)
        assert _trained(encoded, tokenizer).rstrip().endswith(f"naïve friend 😀{END}")
    answers = encode(sample, tokenizer, EncodingSettings(template, 512))
    assert _trained(answers, tokenizer) == f"Far away, naïve friend 😀{END}"


def test_spans_that_the_data_takes_out_of_the_loss_are_not_trained(tokenizer: Any, template: Template) -> None:
    turns = list(CONVERSATION.messages)
    turns[2] = Message("assistant", "  Arr, in the bay!", untrained=((2, 6), (13, 17)))
    turns[4] = replace(turns[4], untrained=((0, 4),))
    sample = Sample("messages", tuple(turns))
    encoded = encode(sample, tokenizer, EncodingSettings(template, 512))
    trained = _trained(encoded, tokenizer)
    assert "Arr" not in trained
    assert "bay" not in trained
    assert "Far" not in trained
    assert "in the" in trained
    assert trained.rstrip().endswith(f"naïve friend 😀{END}")
    assert encoded.input_ids == encode(plain(sample), tokenizer, EncodingSettings(template, 512)).input_ids


def test_spans_in_a_text_that_the_template_changes_are_refused(tokenizer: Any, template: Template) -> None:
    louder = replace(template, text=template.text.replace("message['content']", "message['content'] | upper"))
    assert louder.text != template.text
    turns = (Message("user", "q"), Message("assistant", "half good", untrained=((0, 4),)))
    with pytest.raises(BadInput, match="train_detail"):
        encode(Sample("messages", turns), tokenizer, EncodingSettings(louder, 512))


def plain(sample: Sample) -> Sample:
    return replace(sample, messages=tuple(replace(turn, untrained=()) for turn in sample.messages))


@pytest.mark.parametrize("name", templates.names())
def test_a_shipped_template_renders_calls_with_ids_as_it_renders_them_without(tokenizer: Any, name: str) -> None:
    def talk(**ids: str) -> list[dict[str, Any]]:
        call = {"type": "function", "function": {"name": "f", "arguments": {"x": 1}}, **ids}
        result = Message("tool", "4", name="f", tool_call_id=ids.get("id", ""))
        turns = (Message("user", "q"), Message("assistant", "", tool_calls=(call,)), result, Message("assistant", "a"))
        return list(map(as_template_turn, turns))

    def rendered(turns: list[dict[str, Any]]) -> str:
        try:
            text: str = tokenizer.apply_chat_template(turns, chat_template=templates.text(name), tokenize=False)
        except TemplateError as refused:  # no tools in this one
            return str(refused)
        return text

    assert rendered(talk(id="call_1")) == rendered(talk())


def test_a_cut_in_an_answer_loses_its_end_and_is_counted(tokenizer: Any, template: Template) -> None:
    whole = encode(CONVERSATION, tokenizer, EncodingSettings(template, 512))
    length = len(whole.input_ids) - 6
    cut = encode(CONVERSATION, tokenizer, EncodingSettings(template, length), with_text=True)
    assert cut.input_ids == whole.input_ids[:length]
    assert cut.labels == whole.labels[:length]
    assert cut.lost_tokens == 6
    assert cut.lost_trained == sum(label != MASKED for label in whole.labels[length:]) > 0
    assert not _trained(cut, tokenizer).endswith(END)
    assert lost_text(cut).rstrip().endswith(END)
    assert encode(CONVERSATION, tokenizer, EncodingSettings(template, length, packing="bfd_split")).lost_tokens == 0


def test_tool_calls_are_trained_and_tools_and_their_results_are_not() -> None:
    call = {"type": "function", "function": {"name": "find_order", "arguments": {"number": 17}}}
    sample = Sample(
        "messages",
        (
            Message("user", "Where is order 17?"),
            Message("assistant", "", tool_calls=(call,)),
            Message("tool", "in the van", name="find_order"),
            Message("assistant", "It is in the van."),
        ),
        tools=({"type": "function", "function": {"name": "find_order", "description": "Finds", "parameters": {}}},),
    )
    own = load_tokenizer(BASE)
    with_tools = Path(trl.__file__).parent / "chat_templates" / "qwen2_5_training.jinja"
    encoded = encode(sample, own, EncodingSettings(use_template(own, str(with_tools)), 2048), with_text=True)
    trained = _trained(encoded, own)
    assert '"find_order"' in trained
    assert "17" in trained
    assert trained.count(END) == 2
    assert trained.rstrip().endswith(f"It is in the van.{END}")
    assert "in the van" in encoded.text.split("It is")[0]
    assert "Finds" in encoded.text
    assert "Finds" not in trained


def test_preference_data_is_trained_on_the_chosen_answer_alone(tokenizer: Any, template: Template) -> None:
    prompt = _talk(("user", "Hi"), ("assistant", "Hello, who is there?"), ("user", "Me"))
    sample = Sample(
        "preference", prompt.messages, chosen=(Message("assistant", "Welcome"),), rejected=(Message("assistant", "Go"),)
    )
    assert _trained(encode(sample, tokenizer, EncodingSettings(template, 512)), tokenizer) == f"Welcome{END}"
    bad = Sample("kto", prompt.messages, chosen=(Message("assistant", "Go"),), label=False)
    with pytest.raises(BadInput, match="marked as bad"):
        encode(bad, tokenizer, EncodingSettings(template, 512))


def test_text_gets_one_end_and_never_two_beginnings(template: Template) -> None:
    from tokenizers.processors import TemplateProcessing

    tokenizer = load_tokenizer(BASE)
    begin = "<|im_start|>"
    number = tokenizer.convert_tokens_to_ids(begin)
    tokenizer.bos_token = begin
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{begin} $A", special_tokens=[(begin, number)]
    )
    whole = encoding.encode(
        Sample("text", text="once upon a time"), tokenizer, EncodingSettings(template, 512), with_text=True
    )
    (plain,) = whole.sequences
    assert plain.input_ids[0] == number
    assert plain.input_ids[-1] == tokenizer.eos_token_id
    assert plain.labels == plain.input_ids
    assert (
        "".join(piece.text for piece in _pieces(whole, tokenizer, EncodingSettings(template, 512)))
        == begin + plain.text
    )
    for text in ("once upon a time" + tokenizer.eos_token, begin + "once upon a time"):
        assert (
            encode(Sample("text", text=text), tokenizer, EncodingSettings(template, 512)).input_ids == plain.input_ids
        )


LONG = Sample("text", text=" ".join(f"word {number} naïve 😀" for number in range(40)))


@pytest.mark.parametrize("length", [8, 13, 48])
def test_chunks_of_a_long_text_hold_each_of_its_tokens_once(tokenizer: Any, template: Template, length: int) -> None:
    (whole,) = encoding.encode(LONG, tokenizer, EncodingSettings(template, 4096)).sequences
    recipe = put(put(Recipe(), "data.max_length", length), "data.chunk_text", True)
    chunked = EncodingSettings.of(recipe, template)
    encoded = encoding.encode(LONG, tokenizer, chunked, with_text=True)
    assert [token for each in encoded.sequences for token in each.input_ids] == whole.input_ids
    assert [list(row["labels"]) for row in encoded.rows] == [each.input_ids for each in encoded.sequences]
    assert max(len(each.input_ids) for each in encoded.sequences) == encoded.longest == length
    assert (encoded.tokens, encoded.lost_tokens) == (len(whole.input_ids), 0)
    parts = parts_of(encoded, tokenizer, chunked)
    assert "".join(piece.text for part in parts for piece in part.pieces) == LONG.text + tokenizer.eos_token
    assert [part.name for part in parts][:1] == [f"chunk 1 of {len(encoded.rows)}"]
    assert all(piece.trained for part in parts for piece in part.pieces)
    assert encoding.encode(CONVERSATION, tokenizer, chunked).lost_tokens > 0, "a conversation is never chunked"


def test_no_chunk_has_a_single_token_that_could_not_be_trained(tokenizer: Any, template: Template) -> None:
    (whole,) = encoding.encode(LONG, tokenizer, EncodingSettings(template, 4096)).sequences
    pieces = Sequence(whole.input_ids[:25], whole.labels[:25]).chunks(8)
    assert [len(piece.input_ids) for piece in pieces] == [8, 8, 7, 2]
    assert [token for piece in pieces for token in piece.input_ids] == whole.input_ids[:25]
    assert [len(piece.input_ids) for piece in Sequence([7], [7]).chunks(8)] == [1]
    assert [len(piece.input_ids) for piece in Sequence([], []).chunks(8)] == [0]


def test_chunks_are_rows_and_a_cut_text_offers_them(tokenizer: Any, template: Template) -> None:
    view = [ViewRow("a", 0, LONG), ViewRow("b", 1, CONVERSATION)]
    rows, facts = encode_view(view, tokenizer, EncodingSettings(template, 64, chunk_text=True))
    assert (facts.kept, facts.chunked, facts.cut_texts) == (2, 1, 0)
    assert len(rows) == facts.sequences > 2
    assert facts.each[0] == sum(len(row["input_ids"]) for row in list(rows)[:-1])
    _, facts = encode_view(view, tokenizer, EncodingSettings(template, 64))
    assert facts.sequences == 2
    assert "1 is plain text: data.chunk_text" in facts.alerts()[0][0]


def test_chunks_are_the_rows_that_trl_trains_of_the_same_pieces(
    tokenizer: Any, template: Template, tmp_path: Path
) -> None:
    from datasets import Dataset
    from transformers import LlamaConfig, LlamaForCausalLM
    from trl import SFTConfig, SFTTrainer

    tokens = load_tokenizer(BASE)(LONG.text + tokenizer.eos_token)["input_ids"]
    pieces = [tokens[start : start + 48] for start in range(0, len(tokens), 48)]
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
    )
    trainer = SFTTrainer(
        model=LlamaForCausalLM(config),
        args=SFTConfig(str(tmp_path), use_cpu=True, bf16=False, max_length=48, report_to="none"),
        train_dataset=Dataset.from_list([{"input_ids": piece} for piece in pieces]),
        processing_class=load_tokenizer(BASE),
    )
    ours, _ = encode_view([ViewRow("a", 0, LONG)], tokenizer, EncodingSettings(template, 48, chunk_text=True))
    theirs = trainer.data_collator([dict(row) for row in trainer.train_dataset])
    batch = trainer.data_collator([dict(row) for row in ours])
    assert len(pieces[-1]) > 1
    for name in ("input_ids", "labels", "attention_mask"):
        assert batch[name].tolist() == theirs[name].tolist(), name


def test_labels_are_those_of_the_collator_and_padding_is_never_trained(tokenizer: Any, template: Template) -> None:
    long = encode(CONVERSATION, tokenizer, EncodingSettings(template, 512))
    short = encode(_talk(("user", "Hi"), ("assistant", "Ho")), tokenizer, EncodingSettings(template, 512))
    batch = collate([_whole(long), _whole(short)], tokenizer)
    assert batch["labels"][0].tolist() == long.labels
    assert batch["labels"][1].tolist() == short.labels + [MASKED] * (len(long.labels) - len(short.labels))
    assert batch["attention_mask"].sum(dim=1).tolist() == [len(long.input_ids), len(short.input_ids)]


def test_the_end_stays_trained_where_it_is_also_the_padding(template: Template) -> None:
    """Padding with the end token has left models that never stop; labels go by length here, not by token."""
    tokenizer = load_tokenizer(BASE)
    tokenizer.pad_token = tokenizer.eos_token
    long = encode(CONVERSATION, tokenizer, EncodingSettings(template, 512))
    short = encode(_talk(("user", "Hi"), ("assistant", "Ho")), tokenizer, EncodingSettings(template, 512))
    row = collate([_whole(long), _whole(short)], tokenizer)["labels"][1].tolist()
    assert row.count(tokenizer.convert_tokens_to_ids(END)) == 1


def test_tokens_and_labels_are_those_that_trl_makes_of_the_same_messages(
    tokenizer: Any, template: Template, tmp_path: Any
) -> None:
    from datasets import Dataset
    from transformers import LlamaConfig, LlamaForCausalLM
    from trl import SFTConfig, SFTTrainer

    rows = [
        line for line in (SAMPLE_DATA / "support_train.jsonl").read_text().splitlines()[:120] if '"messages"' in line
    ]
    talks = [value["messages"] for value in map(_loaded, rows) if value] + [
        [{"role": turn.role, "content": turn.content} for turn in CONVERSATION.messages]
    ]
    talks = [talk for talk in talks if any(turn["role"] == "assistant" for turn in talk)]
    assert len(talks) > 50
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1
    )
    trainer = SFTTrainer(
        model=LlamaForCausalLM(config),
        args=SFTConfig(
            str(tmp_path), use_cpu=True, bf16=False, max_length=48, assistant_only_loss=True, report_to="none"
        ),
        train_dataset=Dataset.from_list([{"messages": talk} for talk in talks]),
        processing_class=load_tokenizer(BASE),
    )
    theirs = [(row["input_ids"], row["labels"]) for row in trainer.train_dataset]
    view = [
        ViewRow(str(n), n, Sample("messages", tuple(Message.from_json(turn) for turn in talk)))
        for n, talk in enumerate(talks)
    ]
    ours, facts = encode_view(view, tokenizer, EncodingSettings(template, 48))
    assert facts.cut > 0
    assert [(row["input_ids"], row["labels"]) for row in ours] == theirs


def _loaded(line: str) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = json.loads(line)
    except ValueError:
        return None  # the sample data has broken lines on purpose
    return value


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), min_size=2, max_size=4))
def test_pieces_join_to_the_rendered_text_and_the_trained_ones_to_the_answers(texts: list[str]) -> None:
    tokenizer = load_tokenizer(BASE)
    template = use_template(tokenizer, "")
    # Behind a letter: an answer that begins with a space may share its first token with the line end before it.
    sample = _talk(*((("user", "assistant")[n % 2], f"A{text}") for n, text in enumerate(texts)))
    encoded = encode(sample, tokenizer, EncodingSettings(template, 4096), with_text=True)
    found = _pieces(_whole(encoded), tokenizer, EncodingSettings(template, 512))
    assert "".join(piece.text for piece in found) == encoded.text
    answers = "".join(f"A{text}{END}" for text in texts[1::2])
    assert "".join(piece.text for piece in found if piece.trained) == answers


def test_a_template_without_marks_is_refused_for_answers_and_taken_for_everything(tokenizer: Any) -> None:
    own = load_tokenizer(BASE)
    own.chat_template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}</s>{% endfor %}"
    template = use_template(own, "")
    assert not template.marks_answers
    with pytest.raises(BadInput, match="does not mark the answers"):
        encode(CONVERSATION, own, EncodingSettings(template, 512))
    assert encode(CONVERSATION, own, EncodingSettings(template, 512, loss_on="everything")).trained_tokens > 0


def test_a_models_own_template_without_marks_is_trained_by_its_twin_that_has_them() -> None:
    own = load_tokenizer(BASE)
    unmarked = re.sub(r"\{%-?\s*(end)?generation\s*-?%\}", "", own.chat_template)
    own.chat_template = unmarked
    template = use_template(own, "")
    assert template.origin.startswith("the built-in template")
    assert _trained(encode(CONVERSATION, own, EncodingSettings(template, 512)), own).startswith("Arr, in the bay!")
    assert own.chat_template == unmarked


def test_a_twin_is_not_used_for_a_sample_that_it_renders_differently() -> None:
    own = load_tokenizer(BASE)
    unmarked = re.sub(r"\{%-?\s*(end)?generation\s*-?%\}", "", own.chat_template)
    own.chat_template = "{% if tools %}tools: {{ tools }}{% endif %}" + unmarked
    template = use_template(own, "")
    tools = ({"type": "function", "function": {"name": "f", "description": "", "parameters": {}}},)
    assert encode(CONVERSATION, own, EncodingSettings(template, 512)).trained_tokens > 0
    with pytest.raises(BadInput, match="differently"):
        encode(Sample("messages", CONVERSATION.messages, tools=tools), own, EncodingSettings(template, 512))


def test_the_end_of_an_answer_outside_the_marks_is_noticed(tokenizer: Any) -> None:
    own = load_tokenizer(BASE)
    assert use_template(own, "").stop == END
    assert use_template(own, "").stop_trained
    own.chat_template = own.chat_template.replace(
        "+ '<|im_end|>' }}{% endgeneration %}", "}}{% endgeneration %}<|im_end|>"
    )
    outside = use_template(own, "")
    assert outside.stop == END
    assert not outside.stop_trained


@pytest.mark.parametrize("name", templates.names())
def test_every_shipped_template_trains_the_answers_and_their_end(name: str) -> None:
    own = load_tokenizer(BASE)
    own.bos_token = own.eos_token  # some begin with it, and the sample base has none
    template = use_template(own, name)
    assert template.marks_answers
    assert template.prompt_kept
    sample = _talk(("user", "Where?"), ("assistant", "In the bay."), ("user", "Sure?"), ("assistant", "Yes."))
    trained = _trained(encode(sample, own, EncodingSettings(template, 512)), own)
    assert re.fullmatch(r"\s*In the bay\.\s*<[^<>]+>\s*Yes\.\s*<[^<>]+>\s*", trained)


def test_a_sample_that_the_template_refuses_is_excluded_with_its_row(tokenizer: Any) -> None:
    own = load_tokenizer(BASE)
    own.chat_template = (
        "{% if messages[0].role != 'user' %}{{ raise_exception('user first') }}{% endif %}" + own.chat_template
    )
    template = use_template(own, "")
    rows = [ViewRow("a:0", 4, CONVERSATION), ViewRow("b:0", 9, _talk(("user", "Hi"), ("assistant", "Ho")))]
    encoded, facts = encode_view(rows, own, EncodingSettings(template, 512))
    assert len(encoded) == 1
    assert facts.refused[0][0] == 4
    assert "user first" in facts.refused[0][1]
    ((sentence, fields),) = facts.alerts()
    assert "1 sample" in sentence
    assert "tokenized" in sentence
    assert fields["rows"] == [4]


def test_a_cut_at_the_start_keeps_the_end_in_tokens_counts_mask_and_text(tokenizer: Any, template: Template) -> None:
    whole = encode(CONVERSATION, tokenizer, EncodingSettings(template, 512))
    length = len(whole.input_ids) - 20
    settings = EncodingSettings(template, length, keeps_end=True)
    cut = encode(CONVERSATION, tokenizer, settings, with_text=True)
    assert (cut.input_ids, cut.labels) == (whole.input_ids[20:], whole.labels[20:])
    assert (cut.lost_tokens, cut.total) == (20, len(whole.input_ids))
    assert cut.lost_trained + cut.trained_tokens == whole.trained_tokens
    pieces = _pieces(_whole(cut), tokenizer, settings)
    assert lost_text(cut) + "".join(piece.text for piece in pieces) == cut.text
    assert sum(piece.tokens for piece in pieces) == length
    assert lost_text(cut)


def _plain(prompt: str, completion: str, **of_answer: Any) -> Sample:
    return Sample("messages", (Message("user", prompt), Message("assistant", completion, **of_answer)))


@pytest.fixture(scope="module")
def untemplated() -> tuple[Any, Template]:
    """A base model's tokenizer without a chat template, and what `none` makes of it."""
    tokenizer = load_tokenizer(BASE)
    tokenizer.chat_template = None
    return tokenizer, use_template(tokenizer, templates.NO_TEMPLATE)


@pytest.mark.parametrize("everything", [False, True])
def test_a_prompt_and_its_completion_are_the_tokens_and_the_mask_of_trl(
    untemplated: tuple[Any, Template], tmp_path: Path, everything: bool
) -> None:
    """From TRL's own preparation of `{"prompt", "completion"}`, without a model."""
    from types import SimpleNamespace

    from datasets import Dataset

    tokenizer, template = untemplated
    pairs = [
        ("Translate: cheese =>", " fromage"),
        ("Q: why?\nA: ", "because"),
        ("no space", "between them"),
        ("", "alone"),
        ("日本 😀", "\n\tnaïve  \n"),
        ("ends with the end token\n", f"so it is not added twice{tokenizer.eos_token}"),
        ("long " * 40, "cut away"),
    ]
    rows = Dataset.from_list([{"prompt": prompt, "completion": completion} for prompt, completion in pairs])
    trainer = SimpleNamespace(_tokenizer=tokenizer, chat_template=None, completion_only_loss=not everything)
    args = trl.SFTConfig(output_dir=str(tmp_path), use_cpu=True, bf16=False, max_length=32, report_to="none")
    trainer.args = args
    theirs = trl.SFTTrainer._prepare_dataset(trainer, rows, tokenizer, args, False, None, "train")
    settings = EncodingSettings(template, 32, "everything" if everything else "answers")
    ours = [encode(_plain(*pair), tokenizer, settings) for pair in pairs]
    trained = [each for each in ours if any(label != MASKED for label in each.labels)]
    assert [each.input_ids for each in trained] == [list(row["input_ids"]) for row in theirs]
    assert [each.labels for each in trained] == [list(row["labels"]) for row in theirs]
    assert len(trained) == len(pairs) - (not everything)


def test_a_plain_prompt_is_asked_as_it_was_trained_and_shown(untemplated: tuple[Any, Template]) -> None:
    tokenizer, template = untemplated
    sample = _plain("Where is the ship?\n", "In the bay.")
    settings = EncodingSettings(template, 64)
    encoded = encoding.encode(sample, tokenizer, settings, with_text=True)
    (sequence,) = encoded.sequences
    asked = generate.prompt_ids(sample.messages[:1], tokenizer, template)
    assert sequence.input_ids[: len(asked)] == asked
    assert all(label == MASKED for label in sequence.labels[: len(asked)])
    shown = [(piece.text, piece.trained) for piece in _pieces(encoded, tokenizer, settings)]
    assert "".join(text for text, trained in shown if trained) == f"In the bay.{tokenizer.eos_token}"
    assert "".join(text for text, trained in shown if not trained) == "Where is the ship?\n"
    assert encoding.stop_trained(settings)
    muted = encode(_plain("a b c\n", "keep hide keep", untrained=((5, 9),)), tokenizer, settings)
    assert _trained(muted, tokenizer).replace(" ", "") == f"keepkeep{tokenizer.eos_token}"
    assert _trained(encode(_plain("a", "b", trained=False), tokenizer, settings), tokenizer) == ""


@pytest.mark.parametrize(
    ("sample", "word"),
    [
        (CONVERSATION, "4 turns before the completion (system, user, assistant, user)"),
        (_talk(("system", "brief"), ("user", "a"), ("assistant", "b")), "2 turns"),
        (_talk(("assistant", "b")), "no prompt"),
        (_talk(("user", "a")), "no completion"),
        (_talk(("system", "a"), ("assistant", "b")), "system turn"),
        (_plain("a", "b", reasoning="hm"), "reasoning"),
        (_plain("a", "b", tool_calls=({"type": "function", "function": {"name": "f", "arguments": {}}},)), "tool call"),
        (replace(_plain("a", "b"), tools=({"name": "f"},)), "tool definitions"),
    ],
)
def test_what_no_plain_text_can_hold_is_refused_with_what_it_is(
    untemplated: tuple[Any, Template], sample: Sample, word: str
) -> None:
    tokenizer, template = untemplated
    with pytest.raises(BadInput, match=re.escape(word)) as refused:
        encode(sample, tokenizer, EncodingSettings(template, 64))
    assert "chatml" in refused.value.do
    assert refused.value.where == "", "it is the sample's fault alone: the others train"


def _built(family: str, chat_template: str) -> Any:
    """A small tokenizer of bytes with the family's own tokens for turns, and its template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={byte: place for place, byte in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    turns = ["<|turn>", "<|start_header_id|>", "<|end_header_id|>", "<|im_start|>", "[INST]", "[/INST]"]
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        eos_token=end_of(family),
        additional_special_tokens=turns,
        chat_template=chat_template,
    )


_SMOLLM2_OWN = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.mark.parametrize("family", [*IN_TRL, *MARKED_BY_ITSELF, *MISTRAL, "SmolLM2"])
def test_a_familys_own_template_trains_answers_and_the_token_that_ends_them(family: str) -> None:
    shipped = {**IN_TRL, **MARKED_BY_ITSELF}
    own = of_trl(shipped[family]) if family in shipped else {**MISTRAL, "SmolLM2": _SMOLLM2_OWN}[family]
    tokenizer = _built(family, own)
    found = use_template(tokenizer, "")
    assert (found.marks_answers, found.stop, found.stop_trained, found.prompt_kept) == (
        True,
        end_of(family),
        True,
        True,
    )
    assert trl.chat_template_utils.is_chat_template_stop_token_trained(tokenizer, chat_template=found.text)
    assert bool(found.like) == (family not in shipped)  # those known to the letter need no second look
    for count in (2, 4, 6):
        talk = _talk(*((turn["role"], turn["content"]) for turn in TURNS[:count]))
        encoded = encode(talk, tokenizer, EncodingSettings(found, 4096))
        parts = _trained(encoded, tokenizer).split(end_of(family))
        assert [part.strip() for part in parts[:-1]] == [turn["content"].strip() for turn in TURNS[1:count:2]]
        assert not parts[-1].strip()
