-- A seller who may open an order opens what is sealed of it: the keys of their orders, and none of other orders or persons.
select isthmus.wall('personal_data.key', $$isthmus.is_within('order', front_end, subject)$$);
