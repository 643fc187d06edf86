"""The chat window in a real browser: a real server, the real bot, and no network but loopback."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from playwright.sync_api import Browser, Locator, Page, expect

from bot import REFUSAL, Article, Bot, Settings, WeightsError
from ui import chat

HOSTILE = """<script>window.hacked = 1</script> **The bridge** `of` Oslo

The bridge was opened in 1911 by <img src=x onerror="window.hacked = 2"> the mayor of Oslo.
A sign on the bridge reads {{value}} and ${window.hacked = 3} and <b>stop</b>.

# Not a heading

The bridge cost *twelve* million crowns & took [nine](javascript:hacked) years. 👩‍👩‍👧 It is red.
"""


@pytest.fixture(scope="module")
def feedback(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("feedback") / "made" / "when needed" / "feedback.jsonl"


@pytest.fixture(scope="module")
def window(bot: Bot, feedback: Path) -> Iterator[chat.Window]:
    opened = chat.launch(lambda: bot, Settings(port=0, feedback=feedback))
    yield opened
    opened.close()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., chat.Window]]:
    """Serve a bot of the test's own."""
    opened: list[chat.Window] = []

    def start(open_bot: Callable[[], Bot], **settings: Any) -> chat.Window:
        settings = {"port": 0, "feedback": tmp_path / "feedback.jsonl"} | settings
        opened.append(chat.launch(open_bot, Settings(**settings)))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page; at the end, nothing foreign was asked for and nothing failed in the console."""
    pages: list[Page] = []
    foreign: list[str] = []
    errors: list[str] = []

    def go(window: chat.Window, *, ready: bool = True, **options: Any) -> Page:
        options = {"viewport": {"width": 1280, "height": 800}} | options
        page = browser.new_context(**options).new_page()
        page.set_default_timeout(20_000)
        origin = urlsplit(window.url).netloc

        def requested(url: str) -> None:
            if urlsplit(url).scheme != "data" and urlsplit(url).netloc != origin:
                foreign.append(url)

        page.on("request", lambda request: requested(request.url))
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(window.url)
        if ready:
            expect(page.locator("#status .ready")).to_be_visible(timeout=60_000)
        pages.append(page)
        return page

    yield go
    for page in pages:
        page.context.close()
    assert foreign == []
    assert errors == []


def put(page: Page, question: str) -> None:
    page.locator("#box textarea").fill(question)
    page.locator("#box textarea").press("Enter")


def settled(page: Page, exchanges: int) -> Locator:
    """Wait until there are so many answers and the last one is finished; return it."""
    expect(page.locator("#chat .bot-row")).to_have_count(exchanges)
    expect(page.locator("#box .submit-button")).to_be_visible()
    expect(page.locator("#chat .busy")).to_have_count(0)
    return page.locator("#chat .bot-row").last


def ask(page: Page, question: str) -> Locator:
    before = page.locator("#chat .bot-row").count()
    put(page, question)
    return settled(page, before + 1)


def markers(row: Locator) -> Locator:
    return row.locator('a[href^="#cite-"]')


def target(marker: Locator) -> tuple[str, int, int]:
    found = re.fullmatch(r"#cite-(\w+)-(\d+)-(\d+)", marker.get_attribute("href") or "")
    assert found
    return found[1], int(found[2]), int(found[3])


def lit(page: Page) -> str:
    expect(page.locator("#pane mark.lit").first).to_be_visible()
    return "".join(page.locator("#pane mark.lit").all_text_contents())


def squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_marker_leads_to_the_sentence_and_the_sentence_back(
    bot: Bot, window: chat.Window, visit: Callable[..., Page]
) -> None:
    page = visit(window)
    row = ask(page, "What does Ukraine demand?")
    assert markers(row).count() >= 2
    for marker in markers(row).all():
        article_id, start, end = target(marker)
        marker.click()
        expect(page.locator("#pane mark.lit").first).to_be_in_viewport()
        assert lit(page) == bot.article(article_id).text[start:end]
    assert re.match(r"\[\d\]", markers(row).first.text_content() or "")
    marks = page.locator("#pane mark.cited")
    assert marks.count() >= markers(row).count()

    ask(page, "Hello")
    mark = marks.first
    span = (mark.get_attribute("data-spans") or "").split()[0]
    mark.focus()
    page.keyboard.press("Enter")
    back = page.locator("#chat a.lit")
    expect(back).to_have_count(1)
    expect(back).to_be_focused()
    expect(back).to_be_in_viewport()
    assert (back.get_attribute("href") or "").endswith(f"-{span}")


def test_tooltip_shows_the_quote(bot: Bot, window: chat.Window, visit: Callable[..., Page]) -> None:
    page = visit(window)
    marker = markers(ask(page, "Who is Zelensky?")).first
    article_id, start, end = target(marker)
    marker.hover()
    quote = bot.article(article_id).text[start:end]
    expect(page.locator("#tip")).to_have_text(re.sub(r"\s+", " ", quote))
    page.locator("#brand").hover()
    expect(page.locator("#tip")).to_be_hidden()
    marker.focus()
    expect(page.locator("#tip")).to_be_visible()


def test_refusal_offers_the_closest_sentences(
    bot: Bot, window: chat.Window, visit: Callable[..., Page]
) -> None:
    page = visit(window)
    row = ask(page, "What is the recipe for pancakes?")
    expect(row).to_contain_text(REFUSAL)
    expect(row).to_contain_text("The article does not use the words “recipe” or “pancakes”.")
    expect(row).to_contain_text("Closest in the article")
    expect(page.locator("#pane mark.cited")).to_have_count(0)
    offer = row.locator("blockquote a").first
    article_id, start, end = target(offer)
    offer.click()
    quote = bot.article(article_id).text[start:end]
    assert lit(page) == quote
    assert squeeze(offer.text_content() or "") == squeeze(quote)
    expect(page.locator("#pane mark.closest.lit").first).to_be_in_viewport()


def test_examples_follow_up_and_clear(
    bot: Bot, window: chat.Window, visit: Callable[..., Page]
) -> None:
    page = visit(window)
    ideas = page.locator("#ideas button")
    assert [idea.strip() for idea in ideas.all_text_contents()] == list(bot.suggest(None, 4))
    ideas.first.click()
    settled(page, 1)
    expect(ideas).to_have_count(0)
    ask(page, "What does Ukraine want?")
    row = ask(page, "And Russia?")
    expect(row.locator(".note", has_text="Searched:")).to_be_visible()
    searched = row.locator('a[href="#ask"]')
    box = page.locator("#box textarea")
    question = searched.inner_text()
    searched.click()
    expect(box).to_have_value(question)
    expect(box).to_be_focused()
    box.press_sequentially(" Please.")
    box.press("Enter")
    again = settled(page, 4)
    assert page.locator("#chat .user-row").last.inner_text().strip() == f"{question} Please."
    assert target(markers(again).first) == target(markers(row).first)
    page.locator("#clear").click()
    expect(page.locator("#chat .bot-row")).to_have_count(0)
    expect(page.locator("#pane mark")).to_have_count(0)
    expect(ideas.first).to_be_visible()
    page.reload()
    expect(page.locator("#status .ready")).to_be_visible()
    expect(page.locator("#chat .bot-row")).to_have_count(0)


def test_retry_edit_and_copy(window: chat.Window, visit: Callable[..., Page]) -> None:
    page = visit(window)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    typed = "Who is *Vladimir* Putin <b>?"
    ask(page, typed)
    assert page.locator("#chat .user-row").inner_text().strip() == typed
    page.get_by_label("Retry").click()
    first = settled(page, 1).inner_text()
    assert page.locator("#chat .user-row").inner_text().strip() == typed

    page.get_by_label("Edit").click()
    area = page.locator("#chat .edit-textarea")
    expect(area).to_have_value(typed)
    area.fill("Who is Volodymyr Zelensky?")
    page.get_by_label("Submit").last.click()
    expect(page.locator("#chat .user-row")).to_contain_text("Zelensky")
    row = settled(page, 1)
    expect(row).to_contain_text("Zelensky")
    assert row.inner_text() != first

    page.get_by_label("Copy message").last.click()
    page.wait_for_function("async () => (await navigator.clipboard.readText()).includes('[1] “')")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "#cite-" not in copied
    assert "<" not in copied
    assert "\\" not in copied


def test_thumbs_are_kept_with_what_they_are_about(
    bot: Bot, window: chat.Window, feedback: Path, visit: Callable[..., Page]
) -> None:
    page = visit(window)
    ask(page, "Where is the summit?")
    ask(page, "Will Zelensky attend the summit?")
    page.get_by_label("Like", exact=True).last.click()
    expect(page.get_by_label("Liked")).to_be_visible()
    page.get_by_label("Dislike", exact=True).first.click()
    expect(page.get_by_label("Disliked")).to_be_visible()
    up, down = _lines(feedback, 2)
    assert (up["liked"], down["liked"]) == (True, False)
    assert up["question"] == "Will Zelensky attend the summit?"
    assert [m["role"] for m in up["history"]] == ["user", "assistant"]
    assert down["history"] == []
    assert up["time"].endswith("+00:00")
    assert up["model"] is None
    assert up["articles"] == [bot.articles()[0].id]
    assert up["citations"]
    for citation in up["citations"]:
        text = bot.article(citation["article_id"]).text
        assert text[citation["start"] : citation["end"]] == citation["quote"]


def _lines(path: Path, count: int) -> list[dict[str, Any]]:
    """Wait for so many lines of a file that another thread writes."""
    done = threading.Event()
    for _ in range(200):
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if len(lines) >= count:
            return [json.loads(line) for line in lines]
        done.wait(0.05)
    raise AssertionError(f"{path} has {len(lines)} lines, not {count}")


def test_a_thumb_that_cannot_be_kept_is_told(
    bot: Bot, serve: Callable[..., chat.Window], visit: Callable[..., Page], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    page = visit(serve(lambda: bot, feedback=tmp_path / "file" / "feedback.jsonl"))
    ask(page, "Where is the summit?")
    page.get_by_label("Like", exact=True).click()
    expect(page.get_by_text("Your thumb was not kept")).to_be_visible()
    ask(page, "Who is Zelensky?")


def test_reload_keeps_the_conversation_of_this_tab_only(
    window: chat.Window, visit: Callable[..., Page]
) -> None:
    page = visit(window)
    row = ask(page, "Where is the summit?")
    said, marked = row.inner_text(), page.locator("#pane mark").all_text_contents()
    assert marked
    page.reload()
    row = settled(page, 1)
    assert row.inner_text() == said
    assert page.locator("#pane mark").all_text_contents() == marked
    markers(row).first.click()
    assert lit(page)
    ask(page, "Who is Zelensky?")

    other = page.context.new_page()
    other.goto(window.url)
    expect(other.locator("#ideas button").first).to_be_visible()
    expect(other.locator("#chat .bot-row")).to_have_count(0)


def test_narrow_screen_opens_the_article_as_a_panel(
    window: chat.Window, visit: Callable[..., Page]
) -> None:
    page = visit(window, viewport={"width": 390, "height": 844}, color_scheme="dark")
    assert page.evaluate("document.body.classList.contains('dark')")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    pane = page.locator("#source")
    expect(pane).to_be_hidden()
    row = ask(page, "Where is the summit?")
    marker = markers(row).first
    marker.click()
    expect(page.locator("#pane mark.lit").first).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(pane).to_be_hidden()
    expect(marker).to_be_focused()
    page.get_by_role("button", name="Article", exact=True).click()
    expect(pane).to_be_visible()
    page.get_by_label("Close the article").click()
    expect(pane).to_be_hidden()
    marker.click()
    expect(pane).to_be_visible()
    page.mouse.click(8, 400)  # beside the panel
    expect(pane).to_be_hidden()
    marker.click()
    page.locator("#pane mark.lit").first.click()
    expect(pane).to_be_hidden()
    expect(page.locator("#chat a.lit").first).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(window: chat.Window, visit: Callable[..., Page], scheme: str) -> None:
    page = visit(window, color_scheme=scheme)
    markers(ask(page, "Where is the summit?")).first.click()
    ask(page, "What is the recipe for pancakes?")
    for selector in [
        "#status p",
        "#chat .bot-row p",
        "#chat .user-row p",
        "#chat .note",
        "#chat blockquote a",
        '#chat p a[href^="#cite-"]',
        "#pane article p",
        "#pane mark.lit",
        "#clear",
        "#tools button",
    ]:
        assert page.locator(selector).first.evaluate(CONTRAST) >= 4.5, selector


CONTRAST = """(element) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].reduce((sum, value, i) => {
    const c = value / 255;
    const linear = c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    return sum + [0.2126, 0.7152, 0.0722][i] * linear;
  }, 0);
  let back = element;
  while (rgba(getComputedStyle(back).backgroundColor)[3] < 255) back = back.parentElement;
  element.getAnimations().forEach((animation) => animation.finish());
  const pair = [getComputedStyle(element).color, getComputedStyle(back).backgroundColor];
  const [high, low] = pair.map((color) => light(rgba(color))).sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}"""


def test_a_hostile_article_is_text(
    make_bot: Callable[..., Bot], serve: Callable[..., chat.Window], visit: Callable[..., Page]
) -> None:
    article = Article.from_text(HOSTILE)
    bot = make_bot(article)
    page = visit(serve(lambda: bot))
    shown = "".join(page.locator("#pane article").all_text_contents())
    assert squeeze(shown) == squeeze(article.text)
    row = ask(page, "What does the sign on the bridge read?")
    expect(row).to_contain_text("{{value}} and ${window.hacked = 3} and <b>stop</b>")
    markers(row).first.click()
    _, start, end = target(markers(row).first)
    assert squeeze(lit(page)) == squeeze(article.text[start:end])
    row = ask(page, "What did the bridge cost?")
    expect(row).to_contain_text("*twelve* million crowns & took [nine](javascript:hacked) years")
    ask(page, "Who opened the bridge in 1911?")
    ask(page, "What is this about?")
    assert page.evaluate("window.hacked") is None
    assert page.locator("#pane article :is(script, img, h1, a)").count() == 0
    assert page.locator("#chat .message :is(script, img, h1)").count() == 0
    bold = page.locator(":is(#pane article, #chat .message) b").all_text_contents()  # exact answers
    assert "stop" not in bold
    assert all(squeeze(text) in squeeze(article.text) for text in bold)


def test_articles_are_added_chosen_and_removed(
    make_bot: Callable[..., Bot],
    serve: Callable[..., chat.Window],
    visit: Callable[..., Page],
    tmp_path: Path,
) -> None:
    first = Article.from_text("Oslo\n\nThe bridge of Oslo was opened in 1911. It is red.")
    bot = make_bot(first)
    page = visit(serve(lambda: bot))
    row = ask(page, "When was the bridge opened?")
    expect(row).to_contain_text("1911")

    page.get_by_role("button", name="Add an article").click()
    page.locator("#add-text").click()
    expect(page.locator("#problem .error")).to_contain_text("holds no text")
    page.get_by_label("Paste the text").fill(
        "Bergen\n\nThe tunnel of Bergen was dug in 1964. It is nine kilometres long."
    )
    page.locator("#add-text").click()
    expect(page.locator("#pane h2")).to_have_text("Bergen")
    expect(page.locator("#add")).to_be_hidden()
    expect(page.locator("#ideas button").first).to_be_visible()
    second = next(a for a in bot.articles() if a.title == "Bergen")
    ask(page, "When was the tunnel dug?")
    expect(row).to_contain_text("1964")
    assert target(markers(row).first)[0] == second.id

    # A marker of the first answer leads back to the first article.
    markers(page.locator("#chat .bot-row").first).first.click()
    expect(page.locator("#pane h2")).to_have_text("Oslo")
    assert lit(page) == "The bridge of Oslo was opened in 1911."

    page.get_by_role("button", name="Add an article").click()
    binary = tmp_path / "picture.txt"
    binary.write_bytes(b"\x89PNG\0\0\0")
    page.locator("#add input[type=file]").set_input_files(binary)
    problem = page.locator("#problem .error")
    expect(problem).to_contain_text("picture.txt is a binary file")
    assert "/" not in problem.inner_text()
    good = tmp_path / "trondheim.md"
    good.write_text("# Trondheim\n\nThe cathedral of Trondheim has a copper roof.", "utf-8")
    page.locator("#add input[type=file]").set_input_files(good)
    expect(page.locator("#pane h2")).to_have_text("# Trondheim")
    assert bot.articles()[-1].source == "trondheim.md"
    ask(page, "What kind of roof does the cathedral have?")
    expect(row).to_contain_text("copper")

    page.get_by_role("button", name="Remove", exact=True).first.click()
    expect(page.locator("#doomed")).to_contain_text("Trondheim")
    page.locator("#remove-article").click()
    expect(page.locator("#pane h2")).to_have_text("Oslo")
    assert [a.title for a in bot.articles()] == ["Oslo", "Bergen"]
    markers(page.locator("#chat .bot-row").last).first.click()
    expect(page.get_by_text("That article has been removed.")).to_be_visible()


class Slow(BaseChatModel):
    """Writes sentence after sentence until it may end; tells when it was stopped."""

    go_on: Any
    stopped: Any
    sentence: str

    @property
    def _llm_type(self) -> str:
        return "slow"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    def _stream(self, messages: list[BaseMessage], *_: Any, **__: Any) -> Iterator[Any]:
        try:
            for text in (self.sentence, " It is **red**."):
                yield ChatGenerationChunk(message=AIMessageChunk(text))
            for number in count(2):
                if self.go_on.wait(0.05):
                    break
                yield ChatGenerationChunk(message=AIMessageChunk(f" It has {number} lanes."))
            yield ChatGenerationChunk(message=AIMessageChunk(" More is to come."))
        finally:
            self.stopped.set()


def test_an_answer_grows_and_can_be_stopped(
    make_bot: Callable[..., Bot], serve: Callable[..., chat.Window], visit: Callable[..., Page]
) -> None:
    article = Article.from_text("Oslo\n\nThe bridge of Oslo was opened in 1911. It is red.")
    slow = Slow(
        go_on=threading.Event(),
        stopped=threading.Event(),
        sentence="The bridge of Oslo was opened in 1911. [1]",
    )
    bot = make_bot(article, model=slow)
    page = visit(serve(lambda: bot))
    expect(page.locator("#status")).to_contain_text("Written by")
    put(page, "When was the bridge opened?")
    expect(page.locator("#chat .bot-row")).to_contain_text("1911")
    expect(page.locator("#box .stop-button")).to_be_visible()
    put(page, "Another one meanwhile?")
    expect(page.get_by_text("An answer is on its way")).to_be_visible()
    expect(page.locator("#chat .user-row")).to_have_count(1)
    page.locator("#box .stop-button").click()
    row = settled(page, 1)
    expect(row).to_contain_text("Stopped.")
    expect(row).to_contain_text("1911")
    assert slow.stopped.wait(20)
    markers(row).first.click()
    assert lit(page) == "The bridge of Oslo was opened in 1911."

    slow.go_on.set()
    page.get_by_label("Retry").click()
    expect(page.locator("#chat .bot-row")).not_to_contain_text("Stopped.")
    row = settled(page, 1)
    expect(row.locator(":is(.weak, .unsupported)")).to_contain_text("is to come")


def test_the_page_appears_before_the_bot_and_says_what_failed(
    bot: Bot, serve: Callable[..., chat.Window], visit: Callable[..., Page]
) -> None:
    opened = threading.Event()

    def open_bot() -> Bot:
        assert opened.wait(60)
        return bot

    page = visit(serve(open_bot), ready=False)
    expect(page.locator("#status")).to_contain_text("Loading the models")
    put(page, "Where is the summit?")
    expect(page.locator("#chat .bot-row")).to_contain_text("Loading the models")
    opened.set()
    expect(page.locator("#status .ready")).to_be_visible()
    expect(page.locator("#pane article")).to_be_visible()
    row = settled(page, 1)
    markers(row).first.click()
    assert lit(page)

    def fail() -> Bot:
        raise WeightsError("The weights are not the ones that were measured. Install them again.")

    page = visit(serve(fail), ready=False)
    expect(page.locator("#status .error")).to_contain_text("Install them again.")
    put(page, "Where is the summit?")
    expect(page.locator("#chat .bot-row .error")).to_contain_text("Install them again.")


def test_the_api_has_one_endpoint(bot: Bot, window: chat.Window) -> None:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    client = Client(window.url, verbose=False)
    assert list(client.view_api(return_format="dict")["named_endpoints"]) == ["/ask"]
    got = client.predict("Where is the summit?", [], api_name="/ask")
    assert got["text"] == bot.ask("Where is the summit?").text
    assert {"text", "short", "refused", "citations", "closest", "question"} <= got.keys()
    for citation in got["citations"]:
        text = bot.article(citation["article_id"]).text
        assert text[citation["start"] : citation["end"]] == citation["quote"]
    history = [
        {"role": "user", "content": "What does Ukraine want?"},
        {"role": "assistant", "content": [{"type": "text", "text": got["text"]}]},
    ]
    again = client.predict("And Russia?", history, api_name="/ask")
    assert again["question"] == bot.ask("And Russia?", history).question
    with pytest.raises(AppError, match="2,000"):
        client.predict("x" * 2001, [], api_name="/ask")
    client.close()


def test_users_do_not_share_a_conversation(window: chat.Window, visit: Callable[..., Page]) -> None:
    pages = [visit(window) for _ in range(3)]
    questions = ["Where is the summit?", "Who is Zelensky?", "What does Ukraine demand?"]
    for page, question in zip(pages, questions, strict=True):
        put(page, question)
    for page, question in zip(pages, questions, strict=True):
        settled(page, 1)
        assert page.locator("#chat .user-row").all_inner_texts() == [question]
