-- The schema of Daypass on PostgreSQL. Times are milliseconds since the Unix epoch. Names are
-- compared byte by byte, whatever the database's collation.

-- The one row says which steps were taken, and which the oldest release knew that still fits.
create table daypass.schema (
  one     boolean primary key default true check (one),
  version integer not null,
  fits    integer not null
);
insert into daypass.schema (version, fits) values (0, 0);

-- Whose sessions these are. A subject is never removed while it could be mistaken for a new one. The
-- names of registered clients are here too, so that the primary key keeps both apart.
create table daypass.subjects (
  sub            text collate "C" primary key,
  is_client      boolean not null default false,
  disabled       boolean not null default false,
  not_before     bigint,            -- sessions that started before are over
  not_before_why smallint,
  reused_before  bigint,            -- those that started before are over because of a reuse
  scope          text not null default '',
  claims         text not null default '{}'
) with (fillfactor = 90);

create table daypass.users (
  name       text collate "C" primary key,
  subject    text collate "C" not null unique,
  password   text,                  -- PHC string
  created_at bigint not null
);

-- One row a session, whatever its age. What a rotation writes is in no index and stands together, and
-- pages are filled so far only that the next versions of a row fit beside it: a rotation then touches
-- one page, and no index.
create table daypass.sessions (
  id          uuid primary key,     -- version 7: carries the start
  auth_time   bigint not null,
  expires_at  bigint,               -- null: without end
  subject     text collate "C" not null,
  client      text collate "C" not null,
  amr         text not null,
  scope       text not null,
  jkt         bytea,
  revoked_at  bigint,
  revoked_why smallint,
  generation  bigint not null,
  rotated_at  bigint not null,
  seen_at     bigint not null,
  token_key   smallint not null,
  grace_run   smallint not null default 0,
  grace_used  boolean not null default false,
  attempts    bytea                 -- one byte of which are there, then 16 bytes each, newest first
) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

create index sessions_by_subject on daypass.sessions (subject, id);
create index sessions_by_end on daypass.sessions (expires_at) where expires_at is not null;
create index sessions_by_ending on daypass.sessions (revoked_at) where expires_at is null and revoked_at is not null;

-- How many sessions there are, in parts, so that sign-ins seldom wait for each other.
create table daypass.counts (
  part     smallint primary key,
  sessions bigint not null
) with (fillfactor = 10);
insert into daypass.counts select part, 0 from generate_series(0, 63) as part;

-- Where a session was opened: read when somebody looks at the list, never by a rotation.
create table daypass.origins (
  session    uuid primary key,
  label      text,
  user_agent text,
  address    text
);

create table daypass.clients (
  id           text collate "C" primary key,
  registration text not null        -- JSON
);

create table daypass.keys (
  id           text collate "C" primary key,
  purpose      text not null,
  algorithm    text not null,
  sealed       bytea not null,
  created_at   bigint not null,
  active_from  bigint not null,
  retired_from bigint
);

-- Counters that every node looks at. Whoever changes clients or keys locks theirs first.
create table daypass.versions (
  what  text collate "C" primary key,
  value bigint not null
) with (fillfactor = 10);
insert into daypass.versions values ('clients', 0), ('keys', 0), ('checked', 0);

create table daypass.guesses (
  account  bytea primary key,       -- a digest: names that nobody has are kept as well
  failures bigint not null,
  last     bigint not null
);
create index guesses_by_last on daypass.guesses (last);

-- Endings. An entry gets its place when it is first looked for, which is after its commit: places are
-- given in the order in which entries become visible, and numbers drawn beforehand are not.
create table daypass.feed (
  seq        bigint generated always as identity primary key,
  place      bigint unique,
  session    uuid,
  sub        text collate "C",
  not_before bigint,
  at         bigint not null,
  until      bigint not null
) with (fillfactor = 50);
create index feed_without_place on daypass.feed (seq) where place is null;

-- The last place that was given. Whoever gives places locks the row.
create table daypass.feed_head (
  one    boolean primary key default true check (one),
  epoch  uuid not null default gen_random_uuid(),
  placed bigint not null default 0
) with (fillfactor = 10);
insert into daypass.feed_head default values;

create table daypass.events (
  seq     bigint generated always as identity primary key,
  at      bigint not null,
  kind    text not null,
  sub     text collate "C",
  session uuid,
  client  text collate "C",
  address text,
  detail  text
);
