"""Where agents come in, and whose certificates count."""

import pytest
from pydantic import ValidationError

from tachograph.schemas.agent_listen import ListenTls


def test_certificates_cannot_be_required_of_nobody() -> None:
    """Without an authority every certificate would be refused."""
    with pytest.raises(ValidationError, match="client_ca_file"):
        ListenTls(cert_file="c", key_file="k", client_required=True)
    assert ListenTls(cert_file="c", key_file="k").client_ca_file is None
