using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using Blixard.Cli.Local;
using Blixard.Rpc.Calls;
using Blixard.V1;
using Google.Protobuf.WellKnownTypes;

namespace Blixard.Cli.Cluster;

/// <summary><c>token create</c>: makes a ticket with which other machines join.</summary>
internal static class TokenCommand
{
    public static Command Create()
    {
        var ttl = new Option<TimeSpan?>("--ttl")
        {
            Description = "How long the ticket is good: a number with s, m, h or d. Default: 1h.",
            CustomParser = result => DurationParser.Parse(result),
            HelpName = "TIME",
        };
        var uses = new Option<uint>("--uses") { Description = "How many machines may join with it.", DefaultValueFactory = _ => 1, HelpName = "N" };
        var role = new Option<string>("--role")
        {
            Description = "What machines may join as with it.", DefaultValueFactory = _ => "worker", HelpName = "server|worker",
        };
        role.AcceptOnlyFromAmong("server", "worker");
        var create = new Command("create", "Make a ticket for joining.") { ttl, uses, role };
        LocalNode.Handle(create, async (result, node, output, cancellationToken) =>
        {
            bool isServer = result.GetRequiredValue(role) == "server";
            CreateTokenResponse token = await node.CallAsync(
                ClusterMethods.CreateToken,
                new CreateTokenRequest
                {
                    Ttl = Duration.FromTimeSpan(result.GetValue(ttl) ?? TimeSpan.FromHours(1)),
                    UsesMax = result.GetValue(uses),
                    Role = isServer ? NodeRole.Server : NodeRole.Worker,
                },
                null,
                cancellationToken).ConfigureAwait(false);
            DateTimeOffset expires = token.Expires.ToDateTimeOffset();
            string time = expires.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
            output.Write(
                new JsonObject { ["ticket"] = token.Ticket, ["expires"] = time },
                $"{token.Ticket}\n\nOn the other machine, before {time}:  blixard join TICKET{(isServer ? " --role server" : "")}");
            return ExitCode.Done;
        });
        return new Command("token", "Manage what lets machines join.") { create };
    }
}
