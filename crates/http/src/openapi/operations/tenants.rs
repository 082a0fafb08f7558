//! Tenants, for the platform.

use selfmx_wire::ErrorCode::Conflict;

use crate::openapi::Operation;
use crate::openapi::operation::Content::Json;

pub(super) const TENANTS: &[Operation] = &[
    Operation::post("/v1/tenants", "createTenant", "Make a tenant").takes("CreateTenant").answers(&[(201, Json("Tenant"))]),
    Operation::get("/v1/tenants", "listTenants", "List tenants").answers(&[(200, Json("TenantList"))]),
    Operation::get("/v1/tenants/{tenant_id}", "findTenant", "Show a tenant").answers(&[(200, Json("Tenant"))]),
    Operation::put("/v1/tenants/{tenant_id}", "mergeTenant", "Change a tenant: the same as PATCH")
        .takes("UpdateTenant")
        .answers(&[(200, Json("Tenant"))]),
    Operation::patch("/v1/tenants/{tenant_id}", "updateTenant", "Change a tenant").takes("UpdateTenant").answers(&[(200, Json("Tenant"))]),
    Operation::delete("/v1/tenants/{tenant_id}", "deleteTenant", "Delete a tenant and all that it has")
        .answers(&[(200, Json("TenantDeleted"))])
        .fails(&[Conflict]),
    Operation::post("/v1/tenants/{tenant_id}/suspend", "suspendTenant", "Have a tenant send nothing").answers(&[(200, Json("Tenant"))]),
    Operation::post("/v1/tenants/{tenant_id}/resume", "resumeTenant", "Let a tenant send again").answers(&[(200, Json("Tenant"))]),
    Operation::get("/v1/tenants/{tenant_id}/usage", "findUsage", "Show what a tenant has used in a month").answers(&[(200, Json("Usage"))]),
];
