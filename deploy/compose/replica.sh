#!/usr/bin/env bash
# Copies the primary at the first start, and follows it from then on. PGPASSWORD is the replicator's.
set -euo pipefail

from="host=${PRIMARY_HOST:-primary} port=${PRIMARY_PORT:-5432} user=replicator application_name=replica"
if [[ ! -s $PGDATA/PG_VERSION ]]; then
  until pg_basebackup -d "$from" -D "$PGDATA" -R -X stream -c fast; do
    find "$PGDATA" -mindepth 1 -delete
    sleep 2
  done
  chmod 700 "$PGDATA"
fi
exec postgres
