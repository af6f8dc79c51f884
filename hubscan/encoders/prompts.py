"""Choose the prompt that is put before every text."""

from __future__ import annotations

from typing import Any

from hubscan.encoders.declared import Declaration


def choose_prompt(asked: str, declared: Declaration) -> str:
    """Return the prompt, "" for none.

    "auto" is the prompt that the checkpoint applies by default, else the one that it calls "classification",
    because the features predict labels; without either, there is no prompt. "none" turns prompts off. Any
    other single word is the name of a prompt; a checkpoint without a prompt of that name gets none, so one
    option serves the whole ranking. Text that contains a space or ends in a colon is the prompt itself.
    """
    if asked == "none":
        return ""
    prompts = declared.prompts
    if asked != "auto":
        is_name = asked in prompts or (len(asked.split()) == 1 and asked.strip() == asked)
        is_name = is_name and not asked.endswith(":")
        return prompts.get(asked, "") if is_name else asked
    if declared.default_prompt is not None:
        return prompts.get(declared.default_prompt, "")
    return next((text for name, text in prompts.items() if name.lower() == "classification"), "")


def prompt_tokens(tokenizer: Any, prompt: str, limit: int) -> int:
    """Return how many tokens at the start of a row are the prompt, including a special token before it."""
    if not prompt:
        return 0
    ids = tokenizer(prompt, truncation=True, max_length=limit)["input_ids"]
    return len(ids) - (bool(ids) and ids[-1] in tokenizer.all_special_ids)
