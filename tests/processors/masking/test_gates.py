"""Every gate compiles, and opens for the examples of the rules behind it."""

from tachograph.processors.masking.gates import GATES
from tachograph.processors.masking.ruleset import compiled, own_rules
from tachograph.processors.masking.samples import filled


def test_gates_open_for_their_rules() -> None:
    """A gate that stays shut would hide a secret."""
    for rule in own_rules().rules:
        if rule.gate:
            gate = compiled(GATES[rule.gate])
            assert all(
                gate.search(filled(text, seed).encode()) for text in rule.examples for seed in range(5)
            )


def test_each_gate_serves_a_rule() -> None:
    """None is left over."""
    assert {rule.gate for rule in own_rules().rules if rule.gate} == set(GATES)
