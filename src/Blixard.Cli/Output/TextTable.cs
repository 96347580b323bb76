using Spectre.Console;
using Spectre.Console.Rendering;

namespace Blixard.Cli.Output;

/// <summary>An aligned table for people, in colours on a terminal and plain elsewhere.</summary>
internal static class TextTable
{
    // Redirected output has no width: nothing is wrapped there, so that it can be searched line by line.
    private const int UnlimitedWidth = 500;

    /// <summary>Renders a table without frames; columns are as wide as their longest cell.</summary>
    public static string Render(IReadOnlyList<string> headings, IEnumerable<IReadOnlyList<string>> rows)
    {
        var table = new Table { Border = TableBorder.None, ShowHeaders = true };
        foreach (string heading in headings)
            table.AddColumn(new TableColumn(new Text(heading, new Style(decoration: Decoration.Bold))) { NoWrap = true, Padding = new Padding(0, 0, 2, 0) });
        foreach (IReadOnlyList<string> row in rows)
            table.AddRow(row.Select(cell => (IRenderable)new Text(cell)));

        using var writer = new StringWriter();
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = Console.IsOutputRedirected ? AnsiSupport.No : AnsiSupport.Detect,
            ColorSystem = Console.IsOutputRedirected ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
            Out = new AnsiConsoleOutput(writer),
        });
        console.Profile.Width = UnlimitedWidth;
        console.Write(table);
        return string.Join('\n', writer.ToString().TrimEnd().Split('\n').Select(line => line.TrimEnd()));
    }
}
