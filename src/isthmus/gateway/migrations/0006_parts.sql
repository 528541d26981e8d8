-- A key of a service that has to do with a part of the front end alone, such as `seller/17`: its calls are confined to it.
alter table gateway.client add column part text constraint client_is_of_a_part
    check (part is null or (role is null and part ~ '^[a-z][a-z-]{0,31}/[!#-&(-\[\]-~]{1,100}$'));
