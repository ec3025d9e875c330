"""The official `openai` client against any node: `python openai_client.py http://127.0.0.1:8080/v1`.

Needs `pip install openai prometheus-client` and a node that is ready. Ends with 0 if all is well.
"""

import asyncio
import sys
import urllib.request

import openai
from prometheus_client.openmetrics.parser import text_string_to_metric_families

client = openai.OpenAI(base_url=sys.argv[1], api_key="none", max_retries=0)
MODEL = client.models.list().data[0].id
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Count: one, two,"}]}
TEXT = {"model": MODEL, "prompt": "one two three"}
GREEDY = {"temperature": 0, "max_tokens": 12}


def in_shape(answer):
    """What the client's own types demand: it does not check them itself, nor refuse what they lack."""
    type(answer).model_validate(answer.to_dict())
    stack = [answer]
    while stack:
        part = stack.pop()
        if isinstance(part, openai.BaseModel):
            assert not part.model_extra, (type(part).__name__, part.model_extra)
            stack += [getattr(part, name) for name in type(part).model_fields]
        elif isinstance(part, list):
            stack += part
    return answer


def models():
    assert client.models.retrieve(MODEL).id == MODEL


def chat():
    answer = in_shape(client.chat.completions.create(**CHAT, **GREEDY))
    again = client.chat.completions.create(**CHAT, **GREEDY)
    choice = answer.choices[0]
    assert answer.object == "chat.completion" and choice.message.role == "assistant"
    assert choice.message.content and choice.finish_reason in ("stop", "length")
    assert choice.message.content == again.choices[0].message.content
    usage = answer.usage
    assert usage.prompt_tokens > 0 and 0 < usage.completion_tokens <= 12
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert again.usage.prompt_tokens_details.cached_tokens >= 0


def chat_goes_on():
    first = client.chat.completions.create(**CHAT, **GREEDY)
    said = first.choices[0].message.model_dump()
    messages = [*CHAT["messages"], said, {"role": "user", "content": "Go on."}]
    second = client.chat.completions.create(model=MODEL, messages=messages, **GREEDY)
    assert second.choices[0].message.content is not None
    assert second.usage.prompt_tokens > first.usage.prompt_tokens


def follow_up_is_cached():
    long = [{"role": "user", "content": "Tell me of the sea. " * 4}]
    first = client.chat.completions.create(model=MODEL, messages=long, **GREEDY)
    said = {"role": "assistant", "content": first.choices[0].message.content}
    more = [*long, said, {"role": "user", "content": "And of the land?"}]
    second = in_shape(client.chat.completions.create(model=MODEL, messages=more, **GREEDY))
    cached = second.usage.prompt_tokens_details.cached_tokens
    assert first.usage.prompt_tokens // 16 * 16 <= cached <= second.usage.prompt_tokens, second.usage


def chat_streamed():
    whole = client.chat.completions.create(**CHAT, **GREEDY).choices[0]
    stream = client.chat.completions.create(
        **CHAT, **GREEDY, stream=True, stream_options={"include_usage": True}
    )
    chunks = [in_shape(chunk) for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    choices = [chunk.choices[0] for chunk in chunks if chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices) == whole.message.content
    assert choices[-1].finish_reason == whole.finish_reason
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens > 0
    assert len({chunk.id for chunk in chunks}) == 1


def chat_helper_streams():
    whole = client.chat.completions.create(**CHAT, **GREEDY).choices[0].message.content
    with client.chat.completions.stream(**CHAT, **GREEDY) as stream:
        events = list(stream)
    assert "".join(event.delta for event in events if event.type == "content.delta") == whole
    assert [event.content for event in events if event.type == "content.done"] == [whole]


def chat_logprobs():
    answer = client.chat.completions.create(**CHAT, **GREEDY, logprobs=True, top_logprobs=2)
    entries = in_shape(answer).choices[0].logprobs.content
    most = client.chat.completions.create(**CHAT, **GREEDY, logprobs=True, top_logprobs=20)
    assert all(len(entry.top_logprobs) == 20 for entry in most.choices[0].logprobs.content)
    none = client.chat.completions.create(**CHAT, **GREEDY, logprobs=True)
    assert all(entry.top_logprobs == [] for entry in in_shape(none).choices[0].logprobs.content)
    assert len(entries) == answer.usage.completion_tokens
    assert all(len(entry.top_logprobs) == 2 for entry in entries)
    assert all(entry.logprob <= 0 for entry in entries)
    text = b"".join(bytes(entry.bytes) for entry in entries).decode(errors="replace")
    assert text == answer.choices[0].message.content


def completion():
    answer = client.completions.create(**TEXT, **GREEDY, logprobs=2)
    choice = in_shape(answer).choices[0]
    assert answer.object == "text_completion" and choice.text
    logprobs = choice.logprobs
    lists = (logprobs.tokens, logprobs.token_logprobs, logprobs.top_logprobs, logprobs.text_offset)
    assert {len(one) for one in lists} == {answer.usage.completion_tokens}
    assert logprobs.text_offset[0] == 0
    stream = client.completions.create(**TEXT, **GREEDY, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream if chunk.choices) == choice.text
    stream = client.completions.create(
        **TEXT, **GREEDY, stream=True, stream_options={"include_usage": True}
    )
    # The client's type of a text chunk denies that an answer goes on, as OpenAI's own chunks say.
    chunks = list(stream)
    assert in_shape(chunks[-1]).choices == [] and chunks[-1].usage == answer.usage.model_copy(
        update={"prompt_tokens_details": chunks[-1].usage.prompt_tokens_details}
    )
    assert all(chunk.usage is None for chunk in chunks[:-1])


def completion_of_token_ids():
    answer = client.completions.create(model=MODEL, prompt=[[10, 11, 12]], **GREEDY)
    assert answer.usage.prompt_tokens == 3
    answers = client.completions.create(model=MODEL, prompt=[[10, 11], [12]], **GREEDY)
    assert len(answers.choices) == 2 and answers.usage.prompt_tokens == 3


def several_with_a_seed():
    asked = {**CHAT, "n": 2, "seed": 7, "temperature": 0.9, "max_tokens": 8}
    first = client.chat.completions.create(**asked)
    again = client.chat.completions.create(**asked)
    texts = [choice.message.content for choice in first.choices]
    assert [choice.index for choice in first.choices] == [0, 1]
    assert texts == [choice.message.content for choice in again.choices]
    most = client.chat.completions.create(**{**asked, "n": 8, "max_tokens": 2})
    assert [choice.index for choice in in_shape(most).choices] == list(range(8))
    refused(openai.BadRequestError, "`n`", lambda: client.chat.completions.create(**{**asked, "n": 9}))


def several_prompts():
    answer = in_shape(client.completions.create(model=MODEL, prompt=["one two", "red green"], **GREEDY))
    for choice, prompt in zip(answer.choices, ["one two", "red green"], strict=True):
        alone = client.completions.create(model=MODEL, prompt=prompt, **GREEDY)
        assert choice.text == alone.choices[0].text


def stop_strings():
    whole = client.completions.create(**TEXT, **GREEDY).choices[0].text
    stop = whole[2:5]
    cut = client.completions.create(**TEXT, **GREEDY, stop=[stop]).choices[0]
    assert cut.text == whole[: whole.index(stop)], (cut.text, whole, stop)
    assert cut.finish_reason == "stop"
    stream = client.completions.create(**TEXT, **GREEDY, stop=stop, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == cut.text


def many_at_once():
    async def ask():
        async with openai.AsyncOpenAI(base_url=sys.argv[1], api_key="none", max_retries=0) as swarm:
            answers = [swarm.chat.completions.create(**CHAT, **GREEDY) for _ in range(8)]
            return await asyncio.gather(*answers)

    whole = client.chat.completions.create(**CHAT, **GREEDY).choices[0].message.content
    assert {answer.choices[0].message.content for answer in asyncio.run(ask())} == {whole}


def figures():
    with urllib.request.urlopen(sys.argv[1].removesuffix("/v1") + "/metrics") as reply:
        assert "openmetrics-text" in reply.headers["content-type"]
        families = {family.name: family for family in text_string_to_metric_families(reply.read().decode())}
    assert all(family.documentation for family in families.values())
    units = {
        "time_to_first_token_seconds": "seconds", "time_per_output_token_seconds": "seconds",
        "generation_tokens": "tokens", "prompt_tokens": "tokens", "kv_blocks": "blocks",
        "kv_free_blocks": "blocks", "sessions": "", "peers": "", "plan_term": "",
        "plan_epoch": "", "ready": "",
    }
    if families["hexswarm_peers"].samples[0].value > 1:
        units |= {"link_sent_bytes": "bytes", "link_received_bytes": "bytes"}
    for name, unit in units.items():
        assert families["hexswarm_" + name].unit == unit, name
    told = families["hexswarm_time_to_first_token_seconds"].samples
    assert any(sample.name.endswith("_count") and sample.value > 0 for sample in told)


def neutral_fields():
    client.chat.completions.create(
        **CHAT, **GREEDY, frequency_penalty=0, presence_penalty=0, user="ann", store=False, n=1,
        logit_bias={}, metadata={"a": "b"}, response_format={"type": "text"}, service_tier="auto",
    )


def refused(error, words, call):
    try:
        call()
    except error as refusal:
        assert words in str(refusal), refusal
        assert refusal.body["type"] and "code" in refusal.body and "param" in refusal.body
        return refusal
    raise AssertionError(f"not refused: {words}")


def errors():
    create = client.chat.completions.create
    tools = [{"type": "function", "function": {"name": "f"}}]
    refusal = refused(openai.BadRequestError, "tools", lambda: create(**CHAT, tools=tools))
    assert refusal.param == "tools" and refusal.code == "unsupported_parameter"
    bias = {"5": 1}
    refused(openai.BadRequestError, "logit_bias", lambda: create(**CHAT, logit_bias=bias))
    hot = {**CHAT, "temperature": 3}
    refused(openai.BadRequestError, "temperature", lambda: create(**hot, stream=True))
    other = {**CHAT, "model": "gpt-4"}
    refusal = refused(openai.NotFoundError, MODEL, lambda: create(**other))
    assert refusal.code == "model_not_found"
    refused(openai.NotFoundError, MODEL, lambda: client.models.retrieve("gpt-4"))
    mistyped = {"temprature": 1}
    refused(openai.BadRequestError, "`temperature`", lambda: create(**CHAT, extra_body=mistyped))
    ids = [5] * 1_000_000
    long = refused(
        openai.BadRequestError, "context", lambda: client.completions.create(model=MODEL, prompt=ids)
    )
    assert long.code == "context_length_exceeded"


def a_client_that_leaves():
    stream = client.chat.completions.create(**CHAT, max_tokens=12, stream=True)
    next(iter(stream))
    stream.close()
    chat()


for case in (
    models, chat, chat_goes_on, follow_up_is_cached, chat_streamed, chat_helper_streams,
    chat_logprobs, completion, completion_of_token_ids, several_with_a_seed, several_prompts,
    stop_strings, many_at_once, neutral_fields, errors, a_client_that_leaves, figures,
):
    case()
    print(f"ok  {case.__name__}")
