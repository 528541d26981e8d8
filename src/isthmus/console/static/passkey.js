// A form with `data-passkey` ("create" or "get") and `data-options` asks the browser for a passkey before it is sent.
"use strict";

const bytes = text => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), one => one.charCodeAt(0));
const text = buffer =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function readable(options) {
  options.challenge = bytes(options.challenge);
  if (options.user) options.user.id = bytes(options.user.id);
  for (const one of [...(options.excludeCredentials ?? []), ...(options.allowCredentials ?? [])]) one.id = bytes(one.id);
  return options;
}

function sendable(found) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"])
    if (found.response[name]) response[name] = text(found.response[name]);
  return JSON.stringify({ id: found.id, rawId: text(found.rawId), type: found.type, response });
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const lacking = !window.PublicKeyCredential || /^[\d.]+$|:/.test(location.hostname);
  form.querySelector("button").disabled = lacking;
  const why = form.querySelector("[data-lacking]");
  if (why) why.hidden = !lacking;
  form.addEventListener("submit", async sent => {
    sent.preventDefault();
    const said = form.querySelector("[role=alert]");
    said.hidden = true;
    try {
      const publicKey = readable(JSON.parse(form.dataset.options));
      form.elements.credential.value = sendable(await navigator.credentials[form.dataset.passkey]({ publicKey }));
      HTMLFormElement.prototype.submit.call(form);
    } catch {
      said.hidden = false;
    }
  });
}
