#!/bin/sh
# One role and one schema per service, as services/kit/embedded/provision.py makes them locally. PostgreSQL's image runs it
# once, in an empty database; the passwords lie in $ROLES, a file per service.
set -eu
for file in "$ROLES"/*; do
  service=$(basename "$file")
  psql -v ON_ERROR_STOP=1 -d "$POSTGRES_DB" -v role="kefu_$service" -v schema="$service" -v database="$POSTGRES_DB" \
    -v password="$(cat "$file")" <<'SQL'
CREATE ROLE :"role" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
GRANT CONNECT, TEMPORARY ON DATABASE :"database" TO :"role";
CREATE SCHEMA :"schema" AUTHORIZATION :"role";
REVOKE ALL ON SCHEMA :"schema" FROM PUBLIC;
ALTER ROLE :"role" IN DATABASE :"database" SET search_path = :"schema";
SQL
done
psql -v ON_ERROR_STOP=1 -d "$POSTGRES_DB" -v database="$POSTGRES_DB" <<'SQL'
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
SQL
