-- What rows take on PostgreSQL, and what giving places to entries of the feed takes: for the figures of
-- docs/scale.md and crates/daypass/src/plan/figures.rs. On an empty database, which it leaves full:
--
--   psql "$DATABASE" -qX -f scripts/sizes.sql
--
-- 100,000 people with a session each, opened one after the other and then renewed five times in random
-- order, a hundred in a transaction, as a node does it.
\set ON_ERROR_STOP on
\pset footer off
create schema daypass;
\ir ../crates/daypass-postgres/src/migrations/0001_start.sql

insert into daypass.subjects (sub) select gen_random_uuid()::text from generate_series(1, 100000);
insert into daypass.users (name, subject, password, created_at)
  select 'somebody' || row_number() over () || '@mail.example', sub, rpad('$argon2id$v=19$m=19456,t=2,p=1$', 97, 'x'), 0
  from daypass.subjects;

insert into daypass.sessions (id, auth_time, expires_at, subject, client, amr, scope, generation, rotated_at, seen_at, token_key)
  select (lpad(to_hex(1700000000000 + 37 * n), 12, '0') || '7' || substr(md5(sub), 1, 3) || '8' || substr(md5(sub), 4, 15))::uuid,
    1700000000000 + 37 * n, 1715552000000 + 37 * n, sub, 'daypass', 'pwd', '', 0, 1700000000000 + 37 * n, 1700000000000 + 37 * n, 1
  from (select sub, row_number() over () as n from daypass.subjects) people;

insert into daypass.origins (session, user_agent, address)
  select id, rpad('Mozilla/5.0 (X11; Linux x86_64) ', 110, 'x'), '203.0.113.250' from daypass.sessions;
insert into daypass.events (at, kind, sub, session, client, address)
  select auth_time, 'signed_in', subject, id, client, '203.0.113.250' from daypass.sessions order by id;

create table renewing as select id, (row_number() over (order by random()))::int / 100 as batch from daypass.sessions;
create index on renewing (batch);
analyze renewing;
\o /dev/null
select format('update daypass.sessions s set generation = generation + 1, rotated_at = rotated_at + 600000,
    seen_at = seen_at + 600000, attempts = ''\x04''::bytea || substring(coalesce(attempts, ''''), 2, 48) || decode(md5(%s || s.id::text), ''hex'')
    from renewing r where r.batch = %s and s.id = r.id', round, batch)
  from generate_series(1, 5) as round, generate_series(0, 1000) as batch order by round, random() \gexec
\o
vacuum analyze;

\echo 'Bytes of a row, indexes included'
select relname as table, n_live_tup as rows, round(pg_total_relation_size(relid) / n_live_tup::numeric) as bytes,
    round(pg_indexes_size(relid) / n_live_tup::numeric) as of_them_indexes
  from pg_stat_user_tables where schemaname = 'daypass' and n_live_tup > 1000 order by 1;

\echo 'Sessions on a page, and renewals that touched no index'
select round(n_live_tup / (pg_relation_size(relid) / 8192)::numeric, 1) as sessions_a_page,
    round(100.0 * n_tup_hot_upd / n_tup_upd, 1) as hot_percent
  from pg_stat_user_tables where relname = 'sessions';

\echo 'Giving places to 1,000, 10,000 and 100,000 entries of the feed'
create function pg_temp.append(many int) returns void language sql as
  'insert into daypass.feed (session, at, until) select gen_random_uuid(), n, n from generate_series(1, many) n';
create function pg_temp.place() returns void language sql as $$
  update daypass.feed f set place = n.rank + (select placed from daypass.feed_head)
    from (select seq, row_number() over (order by seq) as rank from daypass.feed where place is null) n where f.seq = n.seq;
  update daypass.feed_head set placed = (select max(place) from daypass.feed);
$$;
select pg_temp.append(1000);
\timing on
select pg_temp.place();
\timing off
select pg_temp.append(10000);
\timing on
select pg_temp.place();
\timing off
select pg_temp.append(100000);
\timing on
select pg_temp.place();
\timing off
vacuum analyze daypass.feed;
select round(pg_total_relation_size('daypass.feed') / count(*)::numeric) as bytes_an_entry from daypass.feed;
