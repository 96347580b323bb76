using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Blixard.Node.Metrics;

/// <summary>Sends all of Blixard's meters to an OpenTelemetry collector, every 60 s or as OTEL_METRIC_EXPORT_INTERVAL says.</summary>
internal static class OtlpExport
{
    // An address with this path is asked for OTLP over HTTP, any other for OTLP over gRPC.
    private const string HttpPath = "/v1/metrics";

    /// <summary>Begins; disposing the result sends what is left and ends it.</summary>
    /// <param name="collector">Where the collector listens, such as <c>http://127.0.0.1:4317</c>, or
    /// <c>http://127.0.0.1:4318/v1/metrics</c> for OTLP over HTTP.</param>
    /// <param name="name">The node's name: <c>service.instance.id</c>.</param>
    public static IDisposable Start(Uri collector, string name) => Sdk.CreateMeterProviderBuilder()
        .ConfigureResource(resource => resource.AddService("blixard", serviceInstanceId: name))
        .AddMeter("Blixard.*")
        .AddOtlpExporter(options =>
        {
            options.Endpoint = collector;
            options.Protocol = collector.AbsolutePath == HttpPath ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
        })
        .Build();
}
