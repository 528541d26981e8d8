-- Files that go with a message, as a list of {name, media_type, content}: gone with its text.
alter table notification.message add column attachments jsonb not null default '[]';
