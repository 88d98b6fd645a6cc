#!/usr/bin/env bash
# Runs once, when the primary's database is made: lets the replica follow, and has sign-ins and revocations
# wait for it. Renewals do not wait, whatever is set here: what a fail-over loses of them heals.
set -euo pipefail

psql -v ON_ERROR_STOP=1 -v password="$REPLICATION_PASSWORD" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
create role replicator login replication password :'password';
alter system set synchronous_standby_names = 'replica';
SQL
echo 'host replication replicator samenet scram-sha-256' >>"$PGDATA/pg_hba.conf"
