-- What came back of what points were credited for, part by part: of all parts together the points are rounded once.
create table member.points_return (
    front_end text not null,
    member_id uuid not null,
    reference text not null,
    reason text not null,
    part text not null,
    minor bigint not null,
    out_of_minor bigint not null,
    at timestamptz not null,
    primary key (front_end, member_id, reference, reason, part),
    foreign key (front_end, member_id) references member.membership (front_end, member_id)
);
insert into member.points_return (front_end, member_id, reference, reason, part, minor, out_of_minor, at)
select gone.front_end, gone.member_id, gone.reverses, gone.reason, gone.reference, -gone.points, came.points, gone.at
from member.points_movement gone
join member.points_movement came on came.front_end = gone.front_end and came.member_id = gone.member_id
    and came.reference = gone.reverses and came.reason || '-reversed' = gone.reason
where gone.reverses <> gone.reference;
select isthmus.guard('member.points_return');
