#!/bin/sh
# Run once by the Postgres image, on an empty data folder. Passwords go in by standard input, where no `ps` shows them.
set -eu
{
    printf "\\\\set owner_password '%s'\n" "$OWNER_PASSWORD"
    printf "\\\\set app_password '%s'\n" "$APP_PASSWORD"
    cat "${ROLES_SQL:-/roles.sql}"
} | psql --no-psqlrc --quiet --username "${POSTGRES_USER:-postgres}" --dbname postgres --file -
