"""What the agent is asked to do."""

from tachograph.examples import facts
from tachograph.examples.agent.tasks import tasks
from tachograph.examples.model_server.conversation import script


def test_the_model_knows_what_every_prompt_is_about() -> None:
    """Each prompt holds exactly one phrase that starts a scenario."""
    phrases = script(facts.DEFAULTS)
    for task in tasks(facts.DEFAULTS):
        for prompt in task.prompts:
            assert sum(phrase in prompt for phrase in phrases) == 1, prompt


def test_people_paste_credentials() -> None:
    """The first prompt carries a key pair."""
    prompt = tasks(facts.DEFAULTS)[0].prompts[0]
    assert facts.DEFAULTS["aws_key_id"] in prompt
    assert facts.DEFAULTS["aws_secret"] in prompt
