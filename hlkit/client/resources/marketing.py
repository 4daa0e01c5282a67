"""What runs by itself, and what is linked to: workflows, campaigns, trigger links."""

from hlkit.client.schema import COUNT, ID, INSTANT, TEXT, Column, Resource

WORKFLOWS = Resource(
    name="workflows",
    path="/workflows/",
    rows="workflows",
    doc="The workflows of the location. Who went through one, and when, HighLevel does not give.",
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
    doc="The campaigns of old; most locations have workflows instead.",
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
    doc="The trigger links: short addresses that tell who followed them.",
    scope="links.readonly",
    columns=(
        Column("link_id", "id", ID),
        Column("name", "name", TEXT),
        Column("redirects_to", "redirectTo", TEXT),
        Column("key", "fieldKey", TEXT, doc="how a template names it"),
    ),
)
