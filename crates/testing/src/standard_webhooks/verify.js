const { Webhook, WebhookVerificationError } = require("standardwebhooks");

function said(given) {
  try {
    new Webhook(given.secret).verify(given.body, given.headers);
    return null;
  } catch (error) {
    if (error instanceof WebhookVerificationError) {
      return error.message;
    }
    throw error;
  }
}

const all = JSON.parse(require("fs").readFileSync(0, "utf8"));
console.log(JSON.stringify(all.map(said)));
