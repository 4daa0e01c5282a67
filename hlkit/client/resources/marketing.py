"""Workflows, campaigns and trigger links."""

from hlkit.client.schema import COUNT, ID, INSTANT, TEXT, Column, Resource

WORKFLOWS = Resource(
    name="workflows",
    path="/workflows/",
    rows="workflows",
    doc="Workflows. HighLevel does not report who went through one, or when.",
    scope="workflows.readonly",
    columns=(
        Column("workflow_id", "id", ID),
        Column("name", "name", TEXT),
        Column("status", "status", TEXT),
        Column("version", "version", COUNT),
        Column("created_at", "createdAt", INSTANT),
        Column("updated_at", "updatedAt", INSTANT),
    ),
)

CAMPAIGNS = Resource(
    name="campaigns",
    path="/campaigns/",
    rows="campaigns",
    doc="Legacy campaigns. Most locations use workflows instead.",
    scope="campaigns.readonly",
    columns=(
        Column("campaign_id", "id", ID),
        Column("name", "name", TEXT),
        Column("status", "status", TEXT),
    ),
)

LINKS = Resource(
    name="links",
    path="/links/",
    rows="links",
    doc="Trigger links: short links that record who clicked them.",
    scope="links.readonly",
    columns=(
        Column("link_id", "id", ID),
        Column("name", "name", TEXT),
        Column("redirects_to", "redirectTo", TEXT),
        Column("key", "fieldKey", TEXT, doc="how templates refer to it"),
    ),
)
