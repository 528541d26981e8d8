// A certified OpenID provider (npm's oidc-provider) with one client, where anybody signs in as whom they say they are.
// node provider.mjs FOLDER_OF_NODE_MODULES PORT CONSOLE
const [folder, port, console_] = process.argv.slice(2);
const { Provider } = await import(`file://${folder}/node_modules/oidc-provider/lib/index.js`);

const GROUPS = { grace: ["support-north", "unheard-of"], ada: ["admins"] };

const provider = new Provider(`http://localhost:${port}`, {
  clients: [
    {
      client_id: "isthmus",
      client_secret: "a secret of the provider",
      redirect_uris: [`${console_}/sign-in/back`],
      backchannel_logout_uri: `${console_}/sign-in/left/acme`,
      backchannel_logout_session_required: true,
    },
  ],
  scopes: ["openid", "email", "profile", "groups"],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["preferred_username"], groups: ["groups"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: id, preferred_username: id, email: `${id}@acme.example`, email_verified: true, groups: GROUPS[id] ?? [],
    }),
  }),
  features: { devInteractions: { enabled: true }, backchannelLogout: { enabled: true } },
  fetch: (address, { dispatcher, ...options }) => fetch(address, options), // the console is on this machine
  pkce: { required: () => true },
  cookies: { keys: ["only for tests"] },
});
provider.on("backchannel.error", (_, wrong) => console.error("back channel:", wrong.message));
provider.listen(Number(port), () => process.stdout.write("ready\n"));
