// Vendure with one shop: node server.js SOCKET_FOLDER DATABASE PORT CSV. Says "ready" once it answers.
// Settings that cost no speed are left as they ship; no admin interface, no search, no e-mail, no worker.
const core = require('@vendure/core');
const { populate } = require('@vendure/core/cli');

const [host, database, port, csv] = process.argv.slice(2);

const takesEverything = new core.PaymentMethodHandler({
  code: 'takes-everything',
  description: [{ languageCode: core.LanguageCode.en, value: 'Authorises and captures at once' }],
  args: {},
  createPayment: (ctx, order, amount) => ({ amount, state: 'Settled', transactionId: String(order.id) }),
  settlePayment: () => ({ success: true }),
});

const config = {
  apiOptions: { port: Number(port), hostname: '127.0.0.1', adminApiPath: 'admin-api', shopApiPath: 'shop-api' },
  authOptions: {
    tokenMethod: 'bearer',
    superadminCredentials: { identifier: 'bench', password: 'bench-only-here' },
    cookieOptions: { secret: 'bench' },
  },
  dbConnectionOptions: {
    type: 'postgres',
    host,
    username: 'postgres',
    database,
    synchronize: true,
    logging: false,
    extra: { max: 20 },
  },
  logger: new core.DefaultLogger({ level: core.LogLevel.Error }),
  paymentOptions: { paymentMethodHandlers: [takesEverything] },
  importExportOptions: { importAssetsDir: __dirname },
  jobQueueOptions: { activeQueues: ['none'] },
  plugins: [],
};

const initial = {
  defaultLanguage: core.LanguageCode.en,
  defaultZone: 'Europe',
  countries: [{ name: 'Germany', code: 'DE', zone: 'Europe' }],
  taxRates: [{ name: 'Standard', percentage: 20 }],
  shippingMethods: [{ name: 'Post', price: 0 }],
  paymentMethods: [{ name: 'All', handler: { code: 'takes-everything', arguments: [] } }],
  collections: [],
};

(async () => {
  const app = await populate(() => core.bootstrap(config), initial, csv);
  console.log('ready');
  process.on('SIGTERM', async () => {
    await app.close();
    process.exit(0);
  });
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
