-- What a member is told, kept encrypted under the member's key where a company wants that; title and body are empty then.
-- Rows so far are sealed by `isthmus security encrypt`. What a campaign says to many is in the clear, and nobody's.
alter table messaging.message add column sealed_title bytea, add column sealed_body bytea;
