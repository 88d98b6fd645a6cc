-- The lease of the keys: one node at a time looks after them. The number rises with every lease given.
create table daypass.lease (
  one    boolean primary key default true check (one),
  holder uuid,
  fence  bigint not null,
  until  bigint not null
) with (fillfactor = 10);
insert into daypass.lease (fence, until) values (0, 0);
