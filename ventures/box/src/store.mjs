// The box's own store: one SQLite file, opened by this process alone.
import { rmSync } from "node:fs";
import { join } from "node:path";

import sqlite from "node-sqlite3-wasm";

import { CURRENCY, hashOf } from "./settings.mjs";

const TABLES = `
create table if not exists member (sub text primary key, email text not null, since text not null);
create table if not exists session (hash text primary key, sub text not null, sid text not null, ends integer not null);
create table if not exists pending (state text primary key, verifier text not null, nonce text not null,
  browser text not null, ends integer not null, back text not null);
create table if not exists subscription (id text primary key, sub text not null, plan text not null, name text not null,
  street text not null, postcode text not null, city text not null, iban text not null, state text not null,
  since text not null, next_on text not null);
create table if not exists orders (id text primary key, subscription text not null, sub text not null, plan text not null,
  gross integer not null, tax integer not null, tax_by text not null, at text not null, state text not null,
  refunded integer not null default 0);
create table if not exists entry (number integer primary key, before text not null, entry text not null,
  hash text not null, reference text not null unique);
create table if not exists sale (number integer primary key, sub text not null, fields text not null);
create table if not exists audit (number integer primary key, at text not null, who text not null, what text not null,
  of text not null);
create table if not exists notice (id integer primary key, sub text not null, at text not null, words text not null);
create table if not exists recorded (number integer primary key, at text not null, operation text not null,
  ask text not null, answer text not null);
create table if not exists fact (name text primary key, value text not null);
`;

export class Store {
  constructor(folder, clock) {
    const file = join(folder, "box.sqlite");
    rmSync(`${file}.lock`, { recursive: true, force: true }); // what a killed process left: nobody else opens the file
    this.db = new sqlite.Database(file);
    this.clock = clock;
    this.db.exec("pragma secure_delete = on"); // who is forgotten leaves no trace in free pages either
    this.db.exec(TABLES);
  }

  close() {
    this.db.close();
  }

  now() {
    return this.clock().toISOString();
  }

  get(sql, values = []) {
    return this.db.get(sql, values);
  }

  all(sql, values = []) {
    return this.db.all(sql, values);
  }

  run(sql, values = []) {
    return this.db.run(sql, values).changes;
  }

  // All or nothing. Nothing waits inside, so that nobody else's statements come between.
  whole(act) {
    this.db.exec("begin immediate");
    try {
      const found = act();
      this.db.exec("commit");
      return found;
    } catch (wrong) {
      this.db.exec("rollback");
      throw wrong;
    }
  }

  // Book an entry: each carries the hash of the one before, so that none can be changed or left out later.
  book(reference, kind, subject, legs, date = this.now().slice(0, 10)) {
    const sum = legs.reduce((sum, [, minor]) => sum + minor, 0);
    if (sum !== 0) throw new Error(`entry ${reference} is out of balance by ${sum}`);
    const before = this.get("select hash from entry order by number desc limit 1")?.hash ?? "";
    const entry = JSON.stringify({
      reference, kind, date, subject,
      legs: legs.filter(([, minor]) => minor).map(([account, minor]) => ({ account, amount: { currency: CURRENCY, minor } })),
    });
    this.run("insert into entry (before, entry, hash, reference) values (?, ?, ?, ?)",
      [before, entry, hashOf(before + entry), reference]);
  }

  // What was sold, as it leaves the box; the member stands apart, so that it can be forgotten.
  sold(sub, fields) {
    this.run("insert into sale (sub, fields) values (?, ?)", [sub, JSON.stringify(fields)]);
  }

  note(who, what, of = "") {
    this.run("insert into audit (at, who, what, of) values (?, ?, ?, ?)", [this.now(), who, what, of]);
  }

  record(operation, ask, answer) {
    this.run("insert into recorded (at, operation, ask, answer) values (?, ?, ?, ?)",
      [this.now(), operation, JSON.stringify(ask), JSON.stringify(answer)]);
  }

  fact(name) {
    return this.get("select value from fact where name = ?", [name])?.value ?? "";
  }

  keep(name, value) {
    this.run("insert into fact (name, value) values (?, ?) on conflict (name) do update set value = excluded.value", [name, value]);
  }
}
