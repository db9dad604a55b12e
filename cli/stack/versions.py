"""The one place that states which Kafka, OpenSearch and Keycloak Tachograph runs on.

The lock file, `docker-compose.yml` and the documentation are tested against this file. After a change, run
`python -m tachograph.cli.stack.lock --write`.
"""

from typing import Final

KAFKA: Final = "4.2.0"
OPENSEARCH: Final = "3.4.0"
KEYCLOAK: Final = "26.7.3"

_SCALA: Final = "2.13"
_KAFKA_LOG4J: Final = "2.25.3"  # the version Kafka itself asks for
_OPENSEARCH_LOG4J: Final = "2.21.0"  # the same for OpenSearch

# Folder below an engine's home -> the Maven coordinates whose closure fills it.
ROOTS: Final[dict[str, tuple[str, ...]]] = {
    "kafka/lib": (
        f"org.apache.kafka:kafka_{_SCALA}:{KAFKA}",
        # Kafka logs through slf4j and leaves the choice of a backend to its distribution.
        f"org.apache.logging.log4j:log4j-slf4j-impl:{_KAFKA_LOG4J}",
    ),
    "opensearch/lib": (
        f"org.opensearch:opensearch:{OPENSEARCH}",
        f"org.opensearch:opensearch-agent-bootstrap:{OPENSEARCH}",
        f"org.opensearch:opensearch-plugin-classloader:{OPENSEARCH}",
        f"org.apache.logging.log4j:log4j-core:{_OPENSEARCH_LOG4J}",
    ),
    # `analysis-common` is absent on purpose: the packaged Java runtime lacks the Thai break data it loads,
    # and with it every creation of an index fails. The built-in analyzers do not need it.
    "opensearch/modules/transport-netty4": (f"org.opensearch.plugin:transport-netty4-client:{OPENSEARCH}",),
    "opensearch/modules/mapper-extras": (f"org.opensearch.plugin:mapper-extras-client:{OPENSEARCH}",),
    "opensearch/modules/reindex": (f"org.opensearch.plugin:reindex-client:{OPENSEARCH}",),
    # A whole distribution in one archive, without a closure.
    "keycloak/dist": (f"org.keycloak:keycloak-quarkus-dist:{KEYCLOAK}",),
}

# Module folder -> the class OpenSearch loads from it.
MODULE_CLASSES: Final = {
    "transport-netty4": "org.opensearch.transport.Netty4ModulePlugin",
    "mapper-extras": "org.opensearch.index.mapper.MapperExtrasModulePlugin",
    "reindex": "org.opensearch.index.reindex.ReindexModulePlugin",
}
