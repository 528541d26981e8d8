// The pages of the box. Everything that somebody wrote is escaped on its way in.
import { CURRENCY } from "./settings.mjs";
import { PLANS } from "./shop.mjs";

const escape = (text) => String(text).replace(/[&<>"']/g, (one) => `&#${one.charCodeAt(0)};`);
export const html = (parts, ...values) => new Safe(parts.reduce((all, part, at) => all + show(values[at - 1]) + part));
class Safe {
  constructor(text) {
    this.text = text;
  }
}
const show = (value) => (Array.isArray(value) ? value.map(show).join("") : value instanceof Safe ? value.text : value == null || value === false ? "" : escape(value));
const amount = (minor) => `${{ EUR: "€", USD: "$" }[CURRENCY] ?? CURRENCY} ${(minor / 100).toFixed(2)}`;

export const STYLE = `
:root{--leaf:#2f5d43;--ink:#22302a;--paper:#fbf7ee;--line:#e4dcc8}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:17px/1.55 Georgia,'Times New Roman',serif}
header{display:flex;align-items:baseline;gap:1.5rem;padding:1.2rem max(1.2rem,calc(50vw - 30rem));border-bottom:1px solid var(--line)}
header a.name{font-size:1.5rem;color:var(--leaf);text-decoration:none;letter-spacing:.02em}header nav{margin-left:auto;display:flex;gap:1rem;align-items:baseline;font-size:.95rem}
main{max-width:60rem;margin:0 auto;padding:2rem 1.2rem 4rem}h1{font-weight:400;font-size:2.4rem;line-height:1.15;margin:.4rem 0 1rem;max-width:24ch}
.lead{font-size:1.15rem;max-width:46ch}.boxes{display:grid;grid-template-columns:repeat(auto-fit,minmax(15rem,1fr));gap:1.2rem;margin-top:2rem}
.box{background:#fff;border:1px solid var(--line);border-radius:10px;padding:1.4rem;display:flex;flex-direction:column}
.box h2{margin:0 0 .4rem;font-weight:400;color:var(--leaf)}.box p{flex:1;margin:.2rem 0 1rem}.price{font-size:1.3rem}
a.button,button{background:var(--leaf);color:#fff;border:0;border-radius:6px;padding:.6rem 1.1rem;font:inherit;text-decoration:none;cursor:pointer;text-align:center}
button.quiet{background:none;color:var(--leaf);padding:.2rem .4rem;text-decoration:underline}a{color:var(--leaf)}
form.checkout{max-width:28rem;background:#fff;border:1px solid var(--line);border-radius:10px;padding:1.4rem}label{display:block;margin:0 0 .9rem}
input{display:block;width:100%;margin-top:.2rem;padding:.55rem;font:inherit;border:1px solid #b9ae93;border-radius:6px;background:#fff}
.two{display:grid;grid-template-columns:8rem 1fr;gap:1rem}table{width:100%;border-collapse:collapse;background:#fff;border:1px solid var(--line)}
th,td{text-align:left;padding:.6rem .8rem;border-bottom:1px solid var(--line)}td.number,th.number{text-align:right}
.notice{background:#f2ead4;border:1px solid var(--line);border-radius:8px;padding:.8rem 1rem;margin:0 0 1.2rem}.bad{background:#f8e3dc}
footer{color:#6a6350;font-size:.9rem;border-top:1px solid var(--line);padding:1.2rem max(1.2rem,calc(50vw - 30rem))}
`;

export function page(title, who, content) {
  const nav = who
    ? html`<a href="/me">My boxes</a><span>${who.email}</span><form method="post" action="/sign-out"><button class="quiet">Sign out</button></form>`
    : html`<a href="/sign-in">Sign in</a>`;
  return html`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${title}</title><link rel="stylesheet" href="/style.css"></head>
<body><header><a class="name" href="/">The Tea Box</a><nav>${nav}</nav></header><main>${content}</main>
<footer>The Tea Box is a venture of the group: its own team, its own stack, one account with the group's shops.</footer></body></html>`.text;
}

export function home(who, isOver) {
  return page("The Tea Box", who, html`${isOver && html`<p class="notice">The Tea Box has ended. What you have ordered is on its way.</p>`}
<h1>Tea that finds you, before you think of it.</h1><p class="lead">Choose a box, say where it goes, and stop whenever you like.</p>
<div class="boxes">${Object.entries(PLANS).map(([code, plan]) => html`<section class="box"><h2>${plan.title}</h2><p>${plan.words}</p>
<div class="price">${amount(plan.gross)} <small>${plan.months === 1 ? "a month" : `every ${plan.months} months`}</small></div>
${!isOver && html`<p><a class="button" href="/checkout?plan=${code}">Take this box</a></p>`}</section>`)}</div>`);
}

export function checkout(who, plan, quoted, given = {}, problem = "") {
  const field = (name, label, more = html``) => html`<label>${label}<input name="${name}" value="${given[name] ?? ""}" required ${more}></label>`;
  return page("Checkout", who, html`<h1>${PLANS[plan].title}</h1>${problem && html`<p class="notice bad" role="alert">${problem}</p>`}
<p>${amount(quoted.gross_minor)} ${PLANS[plan].months === 1 ? "a month" : `every ${PLANS[plan].months} months`}, of which ${amount(quoted.tax_minor)} is tax. Paid by direct debit.</p>
<form class="checkout" method="post" action="/checkout"><input type="hidden" name="plan" value="${plan}">
${field("name", "Name", html`autocomplete="name"`)}${field("street", "Street and number", html`autocomplete="street-address"`)}
<div class="two">${field("postcode", "Postcode", html`inputmode="numeric" autocomplete="postal-code"`)}${field("city", "City", html`autocomplete="address-level2"`)}</div>
${field("iban", "IBAN")}<button>Order for ${amount(quoted.gross_minor)}</button></form>`);
}

export function mine(who, subscriptions, orders, notices, isNew) {
  return page("My boxes", who, html`${isNew && html`<p class="notice">Thank you: your first box is being packed.</p>`}
${notices.map((one) => html`<p class="notice">${one.words}</p>`)}<h1>My boxes</h1>
${subscriptions.length ? html`<table><thead><tr><th>Box</th><th>Goes to</th><th>Next</th><th></th></tr></thead><tbody>
${subscriptions.map((one) => html`<tr><td>${PLANS[one.plan].title}</td><td>${one.name}, ${one.postcode} ${one.city}</td><td>${one.state === "active" ? one.next_on : one.state}</td>
<td>${one.state === "active" && html`<form method="post" action="/cancel"><input type="hidden" name="id" value="${one.id}"><button class="quiet">Stop it</button></form>`}</td></tr>`)}</tbody></table>
<h2>Orders</h2><table><thead><tr><th>Day</th><th>Box</th><th class="number">Paid</th><th>State</th></tr></thead><tbody>
${orders.map((one) => html`<tr><td>${one.at.slice(0, 10)}</td><td>${PLANS[one.plan].title}</td><td class="number">${amount(one.gross)}</td><td>${one.refunded ? `${amount(one.refunded)} went back` : one.state}</td></tr>`)}</tbody></table>`
    : html`<p class="lead">You have no box yet. <a href="/">Choose one</a>.</p>`}`);
}

export const problem = (who, words) => page("Something is not right", who, html`<h1>Something is not right</h1><p class="notice bad" role="alert">${words}</p><p><a href="/">Back to the boxes</a></p>`);
