"""Which Maven repositories to ask: jgo's own, so that one mirror setting serves both; and whom to trust."""

import ssl

import httpx

from tachograph.cli.stack.errors import RuntimeMissing


def repositories() -> dict[str, str]:
    """Name -> base URL, in the order to ask; a mirror named `central` replaces Maven Central.

    The source is the `[repositories]` section of jgo's configuration file (`JGO_CONFIG_FILE`,
    `~/.config/jgo.conf`); `HTTPS_PROXY` and its kin are honoured by the HTTP client.
    """
    try:
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
    except ImportError as error:
        raise RuntimeMissing("jgo") from error
    configured: dict[str, str] = GlobalSettings.load().repositories
    return {name: url.rstrip("/") for name, url in ({"central": MAVEN_CENTRAL_URL} | configured).items()}


def trust() -> ssl.SSLContext:
    """Trust the public authorities and what the system trusts, SSL_CERT_FILE included.

    A company's proxy is known to the system's store only; a Python built elsewhere may know no system store.
    """
    context = httpx.create_ssl_context(trust_env=False)  # the public authorities alone
    context.load_default_certs()
    return context
