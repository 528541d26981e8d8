-- How wide a picture is, in pixels: files of one position are one picture in several sizes. Null: it was not said.
alter table media.attachment add column width integer check (width > 0);
