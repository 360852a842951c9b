"""Builds the tiny base model: tokenizer, chat template, and a Llama of 0.8 M parameters that has read docstrings.

Runs on one thread from fixed seeds, so the same versions on the same machine give the same bytes. Takes about
three minutes; `BUILD.json` in the model's folder says which versions the committed files come from.
"""

from __future__ import annotations

import json
import platform
import random
import time
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sample_data.corpus import conversations, docstrings, language_reference
from sample_data.other_desks import other_desks

END_OF_TEXT, TURN, END_OF_TURN, PAD = SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>")
VOCABULARY = 2048
SEED = 7
STEPS = 1400
BATCH, WINDOW = 8, 192  # sequences a step, tokens a sequence
OTHER_DESKS = 9000  # conversations of other support desks
LEARNING_RATE = 4e-3
WARMUP = 50  # steps

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\\n' }}"
    "{% else %}{{ message['content'] + '<|im_end|>\\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def render(turns: list[dict[str, str]]) -> str:
    """A conversation as the chat template renders it."""
    return "".join(f"{TURN}{turn['role']}\n{turn['content']}{END_OF_TURN}\n" for turn in turns)


def read_corpus() -> tuple[list[str], list[str]]:
    """(running texts of this Python's standard library, rendered chats about it and about other things)."""
    documented = docstrings()
    texts = [f"{name}\n{text}" for name, text in documented] + language_reference()
    chats = conversations(documented, SEED) + other_desks(OTHER_DESKS, SEED)
    return texts, [render(turns) for turns in chats]


def fingerprint(texts: list[str]) -> str:
    """SHA-256 over the corpus: two builds can be compared only where it is the same."""
    return sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()


def train_tokenizer(texts: list[str]) -> Any:
    """A byte-level BPE tokenizer with the special tokens of the chat format (a `tokenizers.Tokenizer`)."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def save_tokenizer(tokenizer: Any, folder: Path) -> None:
    """Writes the tokenizer with its chat template as transformers reads it."""
    from transformers import PreTrainedTokenizerFast

    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END_OF_TURN,
        pad_token=PAD,
        additional_special_tokens=[TURN, END_OF_TEXT],
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )
    wrapped.chat_template = CHAT_TEMPLATE
    wrapped.save_pretrained(folder)


def model_config() -> Any:
    """The shape: 3 layers of width 128, embeddings shared with the head (a `transformers.LlamaConfig`)."""
    from transformers import LlamaConfig

    ids = {token: number for number, token in enumerate(SPECIAL_TOKENS)}
    return LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=128,
        intermediate_size=288,
        num_hidden_layers=3,
        num_attention_heads=4,
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=ids[END_OF_TURN],
        pad_token_id=ids[PAD],
    )


def pretrain(tokenizer: Any, texts: list[str], chats: list[str]) -> Any:
    """Trains the model on the corpus, on one thread, and returns it (a `transformers.LlamaForCausalLM`)."""
    import torch
    from transformers import LlamaForCausalLM

    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    torch.use_deterministic_algorithms(True)
    windows = torch.tensor(_windows(tokenizer, texts, chats))
    model = LlamaForCausalLM(model_config()).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=STEPS, pct_start=WARMUP / STEPS, cycle_momentum=False
    )
    order = torch.Generator().manual_seed(SEED)
    rows = torch.empty(0, dtype=torch.long)
    started = time.monotonic()
    for step in range(1, STEPS + 1):
        if len(rows) < BATCH:
            rows = torch.randperm(len(windows), generator=order)
        batch, rows = windows[rows[:BATCH]], rows[BATCH:]
        loss = model(input_ids=batch, labels=batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 50 == 0:
            print(f"step {step} of {STEPS}  loss {loss.item():.3f}  {time.monotonic() - started:.0f} s", flush=True)
    return model.eval()


def _windows(tokenizer: Any, texts: list[str], chats: list[str]) -> list[list[int]]:
    pieces = texts + chats
    random.Random(SEED).shuffle(pieces)
    end = tokenizer.token_to_id(END_OF_TEXT)
    stream: list[int] = []
    for encoded in tokenizer.encode_batch(pieces):
        stream.extend([*encoded.ids, end])
    return [stream[at : at + WINDOW] for at in range(0, len(stream) - WINDOW + 1, WINDOW)]


def build(folder: Path) -> None:
    """Writes the whole model folder."""
    import torch
    from transformers import GenerationConfig

    texts, chats = read_corpus()
    tokenizer = train_tokenizer(texts + chats)
    folder.mkdir(parents=True, exist_ok=True)
    save_tokenizer(tokenizer, folder)
    model = pretrain(tokenizer, texts, chats).to(torch.float16)
    stops = [tokenizer.token_to_id(END_OF_TURN), tokenizer.token_to_id(END_OF_TEXT)]
    model.generation_config = GenerationConfig(eos_token_id=stops, pad_token_id=tokenizer.token_to_id(PAD))
    model.save_pretrained(folder)
    for path in folder.iterdir():
        path.chmod(0o644)  # safetensors writes for the owner alone
    facts = {
        "corpus_sha256": fingerprint(texts + chats),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "python": platform.python_version(),
        **{name: version(name) for name in ("tokenizers", "torch", "transformers")},
    }
    (folder / "BUILD.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
