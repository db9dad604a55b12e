#!/bin/bash
# The security plugin's users are those of .env and no others; then OpenSearch starts.
set -euo pipefail

home=/usr/share/opensearch
target="$home/config/opensearch-security"

hashed() {  # the bcrypt hash of the password in a variable; the tool prints it last
    bash "$home/plugins/opensearch-security/tools/hash.sh" -env "$1" | tail -n 1
}

cp /security/*.yml "$target/"
umask 077
cat > "$target/internal_users.yml" <<USERS
_meta: {type: internalusers, config_version: 2}
admin: {hash: "$(hashed OPENSEARCH_ADMIN_PASSWORD)", reserved: true, backend_roles: [admin]}
dashboards: {hash: "$(hashed DASHBOARDS_PASSWORD)", reserved: true}
tachograph: {hash: "$(hashed OPENSEARCH_PASSWORD)", reserved: true}
console: {hash: "$(hashed OPENSEARCH_CONSOLE_PASSWORD)", reserved: true}
USERS

unset OPENSEARCH_ADMIN_PASSWORD DASHBOARDS_PASSWORD OPENSEARCH_PASSWORD OPENSEARCH_CONSOLE_PASSWORD
exec "$home/opensearch-docker-entrypoint.sh" opensearch
