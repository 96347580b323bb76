using System.CommandLine;
using Iroh;
using Iroh.Base;
using Iroh.NetReport;
using Iroh.NetReport.Diagnosis;

namespace Blixard.Cli.Net.Doctor;

/// <summary><c>net doctor</c>: what kind of network this is, and whether direct connections are to be expected.</summary>
internal static class NetDoctorCommand
{
    public static Command Create()
    {
        var relay = new Option<string[]>("--relay") { Description = "A relay to measure; may be given several times.", HelpName = "URL", AllowMultipleArgumentsPerToken = true };
        var stun = new Option<string[]>("--stun")
        {
            Description = "A STUN server to ask for the public address; two, at different addresses, tell what kind of NAT there is.",
            HelpName = "HOST:PORT",
            AllowMultipleArgumentsPerToken = true,
        };
        var noPortMapping = new Option<bool>("--no-port-mapping") { Description = "Do not ask the gateway to forward a port." };
        var command = new Command("doctor", "Say what kind of network this is and whether direct connections are to be expected.") { relay, stun, noPortMapping };
        CommandRunner.Handle(command, async (result, output, cancellationToken) =>
        {
            var options = new NetworkExaminationOptions
            {
                Relays = [.. (result.GetValue(relay) ?? []).Select(ParseRelay)],
                StunServers = [.. (result.GetValue(stun) ?? []).Select(ParseStunServer)],
                AskGateway = !result.GetValue(noPortMapping),
            };
            string? shown = null;
            NetworkDiagnosis diagnosis = await NetworkExamination.RunAsync(options, Show, cancellationToken).ConfigureAwait(false);
            output.Write(DoctorJson.Create(diagnosis), DoctorText.Render(diagnosis));
            return diagnosis.Kind == NetworkKind.Unreachable ? ExitCode.Unreachable : ExitCode.Done;

            void Show(string step)
            {
                if (step != shown)
                    Console.Error.WriteLine($"... {step}");
                shown = step;
            }
        });
        return command;
    }

    private static RelayConfiguration ParseRelay(string text) => RelayUrl.TryParse(text, out RelayUrl? url)
        ? RelayConfiguration.For(url)
        : throw new CommandException(ExitCode.Usage, $"'{text}' is not a relay: expected a URL such as https://relay.example.com or http://192.0.2.7:3340.");

    private static StunServer ParseStunServer(string text) => StunServer.TryParse(text, out StunServer? server)
        ? server
        : throw new CommandException(ExitCode.Usage, $"'{text}' is not a STUN server: expected HOST:PORT, such as stun.example.com:3478.");
}
