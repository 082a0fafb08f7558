//! API keys.

use selfmx_wire::ErrorCode::{Conflict, PermissionDenied};

use crate::openapi::Operation;
use crate::openapi::operation::Content::Json;

pub(super) const KEYS: &[Operation] = &[
    Operation::post("/v1/api-keys", "createKey", "Make a key")
        .takes("CreateKey")
        .answers(&[(201, Json("KeyCreated"))])
        .fails(&[PermissionDenied]),
    Operation::get("/v1/api-keys", "listKeys", "List keys").answers(&[(200, Json("KeyList"))]),
    Operation::get("/v1/api-keys/me", "findMe", "Show which key asks, and what is left of its limits").answers(&[(200, Json("Me"))]),
    Operation::get("/v1/api-keys/{id}", "findKey", "Show a key").answers(&[(200, Json("Key"))]),
    Operation::patch("/v1/api-keys/{id}", "updateKey", "Change a key").takes("UpdateKey").answers(&[(200, Json("Key"))]).fails(&[Conflict]),
    Operation::delete("/v1/api-keys/{id}", "revokeKey", "Revoke a key").answers(&[(200, Json("KeyRevoked"))]).fails(&[Conflict]),
    Operation::post("/v1/api-keys/{id}/rotate", "rotateKey", "Give a key a new secret")
        .may_take("RotateKey")
        .answers(&[(201, Json("KeyCreated"))])
        .fails(&[Conflict]),
];
