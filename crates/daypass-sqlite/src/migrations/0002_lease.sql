-- The lease of the keys: one node at a time looks after them. The number rises with every lease given.
create table lease (
  one    integer primary key default 1 check (one = 1),
  holder blob not null,
  fence  integer not null,
  until  integer not null           -- ms
) strict;
insert into lease (holder, fence, until) values (x'', 0, 0);
