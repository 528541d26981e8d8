-- What a key is made for, such as `support`: its answers are masked as they are for people of that role.
alter table gateway.client add column role text constraint client_is_for_something check (role <> '');
