-- Steps are found by the reservation that they are of: the index that finds them keeps them apart as well.
-- contract: it refuses nothing that is written, since each id is one of a sequence
create unique index reservation_step_of on inventory.reservation_step (front_end, reference, id);
-- contract: ids come from their sequence, and nobody looks for one by itself
alter table inventory.reservation_step drop constraint reservation_step_pkey,
    add constraint reservation_step_pkey primary key using index reservation_step_of;
-- contract: the primary key finds what it found
drop index inventory.reservation_step_front_end_reference_id_idx;
