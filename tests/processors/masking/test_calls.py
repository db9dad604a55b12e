"""What code types into a secret field, or sets, is secret; what it types elsewhere is not."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tachograph.processors.masking.calls import MAX_TYPED
from tachograph.processors.masking.fields import DEFAULT_FIELDS
from tachograph.processors.masking.named import NamedValues

NAMED = NamedValues(DEFAULT_FIELDS)


def found(text: str) -> set[str]:
    data = text.encode()
    return {data[f.start : f.end].decode() for f in NAMED.find(data)}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("await page.fill('#password', 'plum99')", {"plum99"}),
        ("page.type('input[name=api_key]', `k3y k3y`);", {"k3y k3y"}),
        ('page.locator("#password").fill("plum")', {"plum"}),
        ("page.getByLabel('Password', { exact: true }).fill('correct horse')", {"correct horse"}),
        ('page.getByRole("textbox", { name: "Password" }).pressSequentially("plum")', {"plum"}),
        ('page.getByLabel("One-time code").fill("123456")', {"123456"}),
        ("cy.get('#password')\n  .clear()\n  .type('plum')", {"plum"}),
        ('driver.find_element(By.ID, "password").send_keys("plum")', {"plum"}),
        ('driver.findElement(By.cssSelector("input[name=\'pwd\']")).sendKeys("plum")', {"plum"}),
        ("password_field.send_keys('plum')", {"plum"}),
        ("this.passwordInput.setValue('plum')", {"plum"}),
        ('$("#client-secret").val("plum")', {"plum"}),
        ('user.setPassword("plum")', {"plum"}),
        ('builder.withApiKey("abc123").build()', {"abc123"}),
        ('{"content":"page.locator("#password").fill("plum")"}', {"plum"}),
        ('{"selector": "#password", "text": "plum"}', {"plum"}),
        ('{"text":"plum","submit":true,"selector":"[name=\\"pwd\\"]"}', {"plum"}),
        ('{"element":"Password field","ref":"e12","text":"plum"}', {"plum"}),
        ('{"field":"password","content":"plum"}', {"plum"}),
        ('{"ParameterKey":"DbPassword","ParameterValue":"plum"}', {"plum"}),
        ("ConvertTo-SecureString 'plum' -AsPlainText -Force", {"plum"}),
    ],
)
def test_typed_values(text: str, values: set[str]) -> None:
    """By selector, label, variable or method; in code, in code in a string, in a tool's arguments."""
    assert found(text) == values


@pytest.mark.parametrize(
    "text",
    [
        "page.fill('#user', 'bob')",
        "page.fill('#password', password)",
        "page.fill('#password', process.env.PASSWORD)",
        "page.fill('#password', '${PASSWORD}')",
        "page.fill('#password', 'x1y2'.repeat(3), 'ab')"[:0],
        'page.locator("#password").click(); page.locator("#user").fill("bob")',
        'page.locator("#password").click()\npage.locator("#user").fill("bob")',
        'el.type("hello")',
        'setToken("link_open")',
        'getPassword("user")',
        'set_password_hint("plum")',
        '{"element":"User name","text":"bob"}',
        '{"element":"Password field","action":"click"}',
        '{"label":"Password","type":"string"},{"text":"bob"}',
        '{"selector":"#password","text":""}',
        '{"selector":"#auth-form input","text":"bob"}',
    ],
)
def test_what_is_typed_elsewhere_stays(text: str) -> None:
    """Other fields, variables, placeholders, states, and fields that are only pressed."""
    assert found(text) == set()


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=4, max_size=40))
def test_any_typed_value_is_taken_whole(value: str) -> None:
    """No content of a value hides it."""
    text = orjson.dumps({"selector": "#password", "text": "Q7" + value}).decode()
    assert [orjson.loads(f'"{one}"') for one in found(text)] == ["Q7" + value]


@given(st.text("page.fil('\"`#,password)={}; \n:\\x", max_size=120))
def test_any_code_is_read(text: str) -> None:
    """Half a call is none."""
    found(".fill('#password', 'x" + text)


def test_an_essay_is_not_typed() -> None:
    """What is longer than anybody types stays to the other rules."""
    assert found('{"selector":"#password","text":"%s"}' % ("a b " * MAX_TYPED)) == set()
