"""The history: it survives a reload, opens again, can be deleted, and stays in the browser."""

import re

import pytest
from playwright.sync_api import expect

REMEMBER = """async (entries) => {
  const store = await import(document.querySelector('script[type=module]').src.replace('app.js', 'store.js'));
  for (const { model, file, options, ...more } of entries) {
    const blob = file ? await (await fetch(`/v1/models/${model}/samples/${file}`)).blob() : null;
    const init = blob ? { method: 'POST', body: blob } : { method: 'POST', body: JSON.stringify({ row: more.row }), headers: { 'Content-Type': 'application/json' } };
    const document = await (await fetch(`/v1/models/${model}/infer?${new URLSearchParams(options)}`, init)).json();
    if (await store.remember({ model, version: document.version, options: options ?? {}, fileName: file, blob, document, when: Date.now(), ...more }) === null) throw new Error('not remembered');
  }
  return (await store.list()).length;
}"""
THREE = [
    {"model": "shapes", "file": "circle-1.png"},
    {"model": "shapes", "file": "star-1.jpg", "options": {"top_k": "2"}},
    {"model": "shapes-detector", "file": "five-1.jpg", "options": {"confidence": "0.4"}},
]
ROW = {"model": "iris", "row": {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}}


def opened(page, entries):
    page.goto("/#history")
    expect(page.get_by_text("No answers yet.")).to_be_visible()
    assert page.evaluate(REMEMBER, entries) == len(entries)
    page.reload()
    expect(page.locator(".history-list li")).to_have_count(len(entries))


def test_it_survives_a_reload(page):
    opened(page, [*THREE, ROW])
    items = page.locator(".history-list li")
    for i, words in enumerate((("setosa", "iris 1", "a row"), ("5 objects", "five-1.jpg", "confidence 0.4"), ("star", "star-1.jpg", "top k 2"), ("circle", "shapes 2", "circle-1.png"))):
        for word in words:
            expect(items.nth(i)).to_contain_text(word)
    assert page.locator(".history-list img").evaluate_all("all => all.map(i => i.complete && Math.max(i.naturalWidth, i.naturalHeight))") == [192, 192, 192]


def test_one_and_all_are_deleted(page):
    opened(page, THREE)
    page.get_by_role("button", name="Delete star").click()
    expect(page.locator(".history-list li")).to_have_count(2)
    expect(page.locator(".history-list")).not_to_contain_text("star-1.jpg")
    expect(page.get_by_role("button", name="Delete circle")).to_be_focused()
    clear = page.get_by_role("button", name="Clear all")
    clear.click()
    page.get_by_role("link", name="Try", exact=True).focus()
    expect(clear).to_be_visible()
    expect(page.locator(".history-list li")).to_have_count(2)
    clear.click()
    page.get_by_role("button", name="Really delete all?").click()
    expect(page.get_by_text("No answers yet.")).to_be_visible()
    page.reload()
    expect(page.get_by_text("No answers yet.")).to_be_visible()


def test_the_same_question_is_there_once(page):
    opened(page, THREE)
    assert page.evaluate(REMEMBER, [THREE[0], {**THREE[0], "options": {"top_k": "1"}}]) == 4
    page.reload()
    expect(page.locator(".history-list li").nth(0)).to_contain_text("top k 1")
    expect(page.locator(".history-list li").nth(1)).to_contain_text("circle")


def test_the_last_200_are_kept(page):
    page.goto("/#history")
    expect(page.get_by_text("No answers yet.")).to_be_visible()
    newest, count = page.evaluate("""async () => {
      const store = await import(document.querySelector('script[type=module]').src.replace('app.js', 'store.js'));
      for (let i = 0; i < 205; i++) await store.remember({ model: 'm', fileName: `${i}.png`, document: { version: '1', value: i }, blob: null });
      const all = await store.list();
      return [all[0].fileName, all.length];
    }""")
    assert (newest, count) == ("204.png", 200)


def test_a_large_picture_leaves_its_thumbnail(page):
    page.goto("/#history")
    whole, blob, thumb = page.evaluate("""async () => {
      const store = await import(document.querySelector('script[type=module]').src.replace('app.js', 'store.js'));
      const picture = await (await fetch('/v1/models/shapes/samples/circle-1.png')).blob();
      const blob = new Blob([picture, new Uint8Array(17 << 20)], { type: 'image/png' });
      const id = await store.remember({ model: 'shapes', fileName: 'large.png', document: { version: '2', predictions: [{ label: 'circle', index: 0, score: 1 }] }, blob });
      const [entry] = await store.list();
      return [entry.whole, (await store.get(id)).blob, entry.thumb.size > 100];
    }""")
    assert (whole, blob, thumb) == (False, None, True)
    page.reload()
    expect(page.locator(".history-list")).to_contain_text("only the thumbnail was kept")


def test_a_browser_that_forbids_it(open_page):
    page = open_page()
    page.add_init_script("Object.defineProperty(window, 'indexedDB', { value: { open() { throw new DOMException('storage is blocked', 'SecurityError'); } } })")
    page.goto("/#history")
    expect(page.locator(".history")).to_contain_text("This browser keeps no history: storage is blocked.")
    expect(page.get_by_role("button", name="Clear all")).to_be_hidden()
    assert page.evaluate("""async () => {
      const store = await import(document.querySelector('script[type=module]').src.replace('app.js', 'store.js'));
      return [await store.remember({ model: 'm', document: {} }), await store.list(), await store.get(1)];
    }""") == [None, [], None]


def test_it_stays_in_the_browser(page):
    opened(page, THREE)
    sent = []
    page.on("request", lambda r: sent.append((r.method, r.url)))
    page.reload()
    expect(page.locator(".history-list li")).to_have_count(3)
    assert [s for s in sent if s[0] != "GET" or re.search("/v1/models/.*(infer|results)", s[1])] == []


def test_what_was_tried_is_there_and_opens_again(page, gateway):
    page.goto("/#try/shapes-detector")
    page.get_by_role("button", name="five-1.jpg").click()
    expect(page.locator("#result")).to_contain_text("5 objects")
    expect(page.locator("#result .bars li")).to_have_count(5)
    page.goto("/#history")  # before it is kept: the view shows it when it is
    entry = page.get_by_role("link", name=re.compile("5 objects"))
    expect(entry).to_be_visible()
    entry.click()
    expect(page).to_have_url(re.compile("#try/shapes-detector"))
    expect(page.locator("#result")).to_contain_text("5 objects")
    expect(page.get_by_role("img", name=re.compile("5 found"))).to_be_visible()


def test_by_keyboard_alone(page):
    opened(page, THREE)

    def reach(target):
        for _ in range(40):
            if target.evaluate("e => e === document.activeElement"):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{target} is not reached")

    reach(page.get_by_role("button", name="Delete circle"))
    page.keyboard.press("Enter")
    expect(page.locator(".history-list li")).to_have_count(2)
    page.get_by_role("link", name="History").focus()
    reach(page.get_by_role("button", name="Clear all"))
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No answers yet.")).to_be_visible()
    expect(page.get_by_role("link", name="Try a model")).to_be_focused()


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 360, "height": 740}}], ids=["light", "dark", "phone"])
def test_axe(open_page, axe, options):
    page = open_page(**options)
    opened(page, [*THREE, ROW])
    axe(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
