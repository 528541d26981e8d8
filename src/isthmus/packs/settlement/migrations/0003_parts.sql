-- A seller's people see what is due to that seller. Who is paid is called as parts are: seller/17.
select isthmus.wall('settlement.payee', 'isthmus.is_part(payee)');
select isthmus.wall('settlement.settlement', 'isthmus.is_part(payee)');
select isthmus.wall('settlement.item', 'isthmus.is_part(payee)');
