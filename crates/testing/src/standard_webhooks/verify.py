import json, sys
from standardwebhooks import Webhook, WebhookVerificationError

def said(given):
    try:
        Webhook(given["secret"]).verify(given["body"], given["headers"])
    except WebhookVerificationError as error:
        return str(error)

print(json.dumps([said(given) for given in json.load(sys.stdin)]))
