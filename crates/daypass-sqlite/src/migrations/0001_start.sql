-- Facts about the file itself. `session_count` is kept with every sign-in, so that nobody counts;
-- `checked` goes up whenever somebody asks whether the store can write.
create table meta (
  key   text primary key,
  value any
) without rowid, strict;

insert into meta values ('epoch', randomblob(16)), ('session_count', 0), ('checked', 0), ('clients_version', 0), ('keys_version', 0);

-- Whose sessions these are. A subject is never removed while it could be mistaken for a new one.
create table subjects (
  id             integer primary key,
  sub            text not null unique,
  disabled       integer not null default 0,
  not_before     integer,           -- ms; sessions that started before are over
  not_before_why integer,
  reused_before  integer,           -- ms; those that started before are over because of a reuse
  scope          text not null default '',
  claims         text not null default '{}'
) strict;

create table users (
  name       text primary key,
  subject    integer not null unique references subjects (id),
  password   text,                  -- PHC string
  created_at integer not null
) without rowid, strict;

-- One row a session, whatever its age. What a rotation writes is in no index. The key is an integer
-- made of the id, which keeps the tree shallow: the start in milliseconds and 15 random bits.
create table sessions (
  key         integer primary key,
  tail        integer not null,     -- the last 8 bytes of the id, whose rest is in the key
  subject     integer not null references subjects (id),
  client      text not null,
  generation  integer not null,
  token_key   integer not null,
  rotated_at  integer not null,     -- ms
  seen_at     integer not null,     -- ms
  grace_run   integer not null default 0,
  grace_used  integer not null default 0,
  attempts    blob,                 -- one byte of which are there, then 16 bytes each, newest first
  expires_at  integer,              -- ms; null: without end
  auth_time   integer not null,     -- ms
  amr         text not null,
  scope       text not null,
  jkt         blob,
  revoked_at  integer,              -- ms
  revoked_why integer
) strict;

create index sessions_by_subject on sessions (subject);
create index sessions_by_end on sessions (expires_at) where expires_at is not null;
create index sessions_by_ending on sessions (revoked_at) where expires_at is null and revoked_at is not null;

-- Where a session was opened: read when somebody looks at the list, never by a rotation.
create table origins (
  session    integer primary key,   -- its key
  label      text,
  user_agent text,
  address    text
) strict;

create table clients (
  id           text primary key,
  registration text not null        -- JSON
) without rowid, strict;

create table keys (
  id           text primary key,
  purpose      text not null,
  algorithm    text not null,
  sealed       blob not null,
  created_at   integer not null,
  active_from  integer not null,
  retired_from integer
) without rowid, strict;

create table guesses (
  account  blob primary key,        -- a digest: names that nobody has are kept as well
  failures integer not null,
  last     integer not null
) without rowid, strict;

create index guesses_by_last on guesses (last);

create table feed (
  seq        integer primary key autoincrement,
  session    blob,
  sub        text,
  not_before integer,
  at         integer not null,
  until      integer not null
) strict;

create table events (
  seq     integer primary key autoincrement,
  at      integer not null,
  kind    text not null,
  sub     text,
  session blob,
  client  text,
  address text,
  detail  text
) strict;
