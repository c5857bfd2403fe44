"""Ways to language models: two protocols over HTTP."""

from __future__ import annotations

from evaluation.conversation import ModelClient
from evaluation.models.chat_completions import ChatCompletions
from evaluation.models.endpoint import Endpoint, EndpointError, Sampling
from evaluation.models.messages import Messages

PROTOCOLS = ("chat-completions", "messages")
"""OpenAI's and everybody's who speaks as it does; Anthropic's."""

__all__ = ["PROTOCOLS", "Endpoint", "EndpointError", "Sampling", "model_client"]


def model_client(protocol: str, endpoint: Endpoint, sampling: Sampling) -> ModelClient:
    """The client that speaks one of `PROTOCOLS`."""
    return Messages(endpoint, sampling) if protocol == "messages" else ChatCompletions(endpoint, sampling)
