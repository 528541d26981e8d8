-- Whether a version has run in the shadow: with rules it judges only after that.
alter table risk.scenario add column is_shadowed boolean not null default false;
update risk.scenario set is_shadowed = true where state in ('shadow', 'live');
