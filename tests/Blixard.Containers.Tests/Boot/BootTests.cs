using System.Text;
using System.Text.Json.Nodes;
using Blixard.MicroVm.Console;
using Blixard.MicroVm.Drivers;
using Blixard.MicroVm.Model;
using Blixard.MicroVm.Qemu;

namespace Blixard.Containers.Tests.Boot;

/// <summary>Images that were made bootable, on the real QEMU.</summary>
[Collection(nameof(Guest))]
public sealed class BootTests(Guest guest) : IAsyncDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly CancellationTokenSource _limit = new(Guest.Limit);
    private readonly List<VmPlace> _places = [];

    public async ValueTask DisposeAsync()
    {
        // VMs outlive who started them, also a test that failed.
        using var limit = new CancellationTokenSource(Guest.Limit);
        foreach (VmPlace place in _places)
        {
            if (await Driver().AdoptAsync(place, limit.Token) is not { } left)
                continue;
            await left.StopAsync(TimeSpan.Zero, limit.Token);
            await left.DisposeAsync();
        }

        _limit.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_container_runs_with_its_environment_directory_user_and_network_and_powers_off()
    {
        const string Script = """
            #!/bin/sh
            echo "args <$1> <$2>"
            echo "env $GREETING|$HOSTNAME|$HOME|$PATH"
            echo "at $(pwd) as $(id -u):$(id -g) $(id -G) umask $(umask)"
            echo "owner $(stat -c '%u:%g %a' /data/kept) $(cat /data/kept) setuid $(stat -c %a /bin/su)"
            echo "net $(ip -4 -o addr show eth0 | sed 's/.*inet \([^ ]*\).*/\1/') $(cat /etc/hostname) $(grep -c nameserver /etc/resolv.conf)"
            echo "gone $(ls /lower /opaque | tr '\n' ' ')"
            # The inner shell ends at once and leaves an orphan, which process 1 has to reap.
            sh -c 'sleep 0.3 & echo orphan $!' >/tmp/orphan
            read -r _ orphan </tmp/orphan
            while [ -e /proc/$orphan ] && ! grep -q '^State:.Z' /proc/$orphan/status; do usleep 20000; done
            usleep 300000
            [ -e /proc/$orphan ] && echo "not reaped" || echo "reaped"
            echo "to stderr" >/dev/stderr
            touch /root/x 2>/dev/null && echo "wrote as root"
            echo "first" >/data/mine && cat /data/mine
            """;
        TestImage image = BusyboxImage("sh", "cat", "id", "stat", "ip", "sed", "grep", "ls", "tr", "sleep", "usleep", "pwd", "touch")
            .Layer(writer =>
            {
                writer.AddDirectory("etc");
                writer.AddFile("etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:1234:1300::/home/app:/bin/sh\n");
                writer.AddFile("etc/group", "root:x:0:\napp:x:1300:\nlog:x:77:other,app\naudio:x:78:app\n");
                writer.AddDirectory("data", 0x1ED, 1234, 1300);
                writer.AddFile("data/kept", "kept", 0x1A0, 1234, 77);
                writer.AddDirectory("root", 0x1C0);
                writer.AddFile("lower/a", "a");
                writer.AddFile("lower/b", "b");
                writer.AddFile("opaque/a", "a");
            })
            .Layer(writer =>
            {
                writer.AddFile("lower/.wh.a", "");
                writer.AddFile("opaque/.wh..wh..opq", "");
                writer.AddFile("opaque/c", "c");
                writer.AddFile("start.sh", Script, 0x1ED);
                writer.AddHardLink("bin/su", "bin/busybox");
            });
        image.Run["Entrypoint"] = new JsonArray("/start.sh");
        image.Run["Cmd"] = new JsonArray("it's \"one\"", "$HOME\n2");
        image.Run["Env"] = new JsonArray("GREETING=hello 'you' $1", "PATH=/bin");
        image.Run["User"] = "app";
        image.Run["WorkingDir"] = "/srv/made";

        BootableImage made = await ImportAsync(image.DockerArchive(), ContainerSourceKind.DockerArchive);
        (string console, VmExit exit) = await RunAsync("web-1", made);

        string[] expected =
        [
            "args <it's \"one\"> <$HOME", "2>",
            "env hello 'you' $1|web-1|/home/app|/bin",
            "at /srv/made as 1234:1300 1300 77 78 umask 0022",
            "owner 1234:77 640 kept setuid 755",
            "net 10.0.2.15/24 web-1 1",
            "gone /lower: b  /opaque: c ",
            "reaped",
            "to stderr",
            "first",
            "blixard-init: /start.sh ended with exit code 0",
            "blixard-init: down",
        ];
        foreach (string line in expected)
            Assert.Contains(line, console.Split(["\r\n", "\n"], StringSplitOptions.None));
        Assert.DoesNotContain("wrote as root", console);
        Assert.Equal(VmExitKind.GuestPoweredOff, exit.Kind);
        await Tool.CheckDiskAsync(made.DiskPath);
    }

    [Fact]
    public async Task An_image_of_one_file_boots_and_its_exit_code_is_a_failure()
    {
        var image = new TestImage();
        image.Layer(writer => writer.AddFile("sh", guest.Busybox, 0x1ED));
        image.Run["Entrypoint"] = new JsonArray("/sh", "-c");
        image.Run["Cmd"] = new JsonArray("echo alone in $PWD as $0; exit 3", "nobody");

        BootableImage made = await ImportAsync(TestImage.Archive(image.OciFiles()), ContainerSourceKind.OciArchive);
        (string console, VmExit exit) = await RunAsync("scratch", made);

        Assert.Contains("alone in / as nobody", console);
        Assert.Contains("blixard-init: /sh ended with exit code 3", console);
        Assert.Equal(VmExitKind.GuestReset, exit.Kind);
        await Tool.CheckDiskAsync(made.DiskPath);
    }

    [Fact]
    public async Task A_stop_reaches_the_program_as_its_signal_and_what_it_wrote_is_there_at_the_next_start()
    {
        TestImage image = BusyboxImage("sh", "sleep", "cat");
        image.Run["Cmd"] = new JsonArray("sh", "-c", "cat /note; trap 'echo asked to end; echo noted >/note; exit 9' INT; echo waiting; while :; do sleep 0.1; done");
        image.Run["StopSignal"] = "SIGINT";
        BootableImage made = await ImportAsync(image.DockerArchive(), ContainerSourceKind.DockerArchive);

        VmPlace place = Place("stops");
        await using (IVmInstance instance = await StartAsync(place, made))
        {
            await WaitForTextAsync(place.Log, "waiting");
            VmExit exit = await instance.StopAsync(Guest.Limit, _limit.Token);
            Assert.Equal(VmExitKind.Stopped, exit.Kind);
            Assert.Contains("the guest powered off when asked", exit.Detail);
        }

        await WaitForTextAsync(place.Log, "asked to end");
        await using (IVmInstance again = await StartAsync(place, made))
        {
            await WaitForTextAsync(place.Log, "noted");
            await again.StopAsync(Guest.Limit, _limit.Token);
        }

        await Tool.CheckDiskAsync(made.DiskPath);
    }

    private TestImage BusyboxImage(params string[] applets)
    {
        var image = new TestImage();
        return image.Layer(writer =>
        {
            writer.AddDirectory("bin");
            writer.AddFile("bin/busybox", guest.Busybox, 0x1ED);
            foreach (string applet in applets)
                writer.AddSymbolicLink($"bin/{applet}", "busybox");
        });
    }

    private async Task<BootableImage> ImportAsync(byte[] archive, ContainerSourceKind kind)
    {
        string path = _directory.File("image.tar");
        await File.WriteAllBytesAsync(path, archive, _limit.Token);
        var request = new ContainerImportRequest { Source = new ContainerSource(kind, path), Guest = guest.Files, OutputDirectory = _directory.Path };
        BootableImage made = await ContainerImport.RunAsync(request, null, _limit.Token);
        await Tool.CheckDiskAsync(made.DiskPath);
        return made;
    }

    private async Task<(string Console, VmExit Exit)> RunAsync(string name, BootableImage image)
    {
        VmPlace place = Place(name);
        await using IVmInstance instance = await StartAsync(place, image);
        await Task.WhenAny(instance.Ended, Task.Delay(Timeout.Infinite, _limit.Token));
        string console = await File.ReadAllTextAsync(place.Log.Path);
        Assert.True(instance.Ended.IsCompleted, "the machine did not end; its console: " + console);
        return (console, await instance.Ended);
    }

    private async Task<IVmInstance> StartAsync(VmPlace place, BootableImage image)
    {
        var spec = new VmSpec
        {
            Name = place.Name,
            KernelPath = guest.Files.KernelPath,
            InitramfsPath = image.InitramfsPath,
            Disks = [new VmDisk(image.DiskPath)],
            KernelArguments = [image.KernelArguments],
            UserNetwork = true,
        };
        return await Driver().StartAsync(new VmLaunch(spec, place), _limit.Token);
    }

    private QemuDriver Driver() =>
        new(new QemuDriverOptions { DataDirectory = _directory.Path, Accelerator = Accelerator.Tcg, StartLimit = Guest.Limit });

    private VmPlace Place(string name)
    {
        string directory = Directory.CreateDirectory(_directory.File(name)).FullName;
        var place = new VmPlace(name, directory, new ConsoleLog(directory));
        _places.Add(place);
        return place;
    }

    private async Task WaitForTextAsync(ConsoleLog log, string text)
    {
        var seen = new StringBuilder();
        long position = 0;
        byte[] buffer = new byte[4096];
        while (!seen.ToString().Contains(text, StringComparison.Ordinal))
        {
            int count = log.Read(ref position, buffer);
            seen.Append(Encoding.UTF8.GetString(buffer, 0, count));
            if (count == 0)
                await Task.Delay(20, _limit.Token);
        }
    }
}
