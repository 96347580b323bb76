using System.Globalization;
using System.IO.Compression;
using System.Text;
using Blixard.Containers.Boot;
using Blixard.Containers.Tree;
using Iroh.Cryptography;

namespace Blixard.Containers.Tests.Boot;

[Collection(nameof(Guest))]
public sealed class InitramfsTests(Guest guest)
{
    private static readonly ContainerProgram s_program = new()
    {
        Arguments = ["/bin/it's $HOME\n"],
        Environment = ["A=b"],
        Candidates = ["/bin/it"],
        WorkingDirectory = "/",
        Account = new Account(5, 6, [7], "/"),
        StopSignal = 3,
    };

    [Fact]
    public void It_holds_what_the_machine_needs_and_modules_after_those_that_they_need()
    {
        var stream = new MemoryStream();
        Initramfs.Write(stream, s_program, guest.Files);
        Dictionary<string, (int Mode, byte[] Content)> files = Read(stream.ToArray());
        Assert.Equal((0x8000 | 0x1ED, guest.Busybox.Length), (files["bin/busybox"].Mode, files["bin/busybox"].Content.Length));
        Assert.Equal(0x2000 | 0x180, files["dev/console"].Mode);
        Assert.StartsWith("#!/bin/busybox sh\n", Encoding.UTF8.GetString(files["init"].Content));
        Assert.True(StaticElf.IsStatic(files["sbin/launch"].Content));
        string settings = Encoding.ASCII.GetString(files["etc/container"].Content);
        // Whatever the image calls its program, the shell sees plain text.
        Assert.Contains("program='/bin/it?s $HOME?'\nsignal=3\nowner=5:6\n", settings);
        string[] modules = settings.Split("modules='")[1].Split('\'')[0].Split(' ');
        Assert.All(modules, module => Assert.True(files[$"lib/modules/{module}.ko"].Content.Length > 1000));
        foreach ((string needed, string module) in ((string, string)[])[("virtio", "virtio_blk"), ("virtio_ring", "virtio_mmio"), ("failover", "net_failover"), ("net_failover", "virtio_net")])
            Assert.True(Array.IndexOf(modules, needed) >= 0 && Array.IndexOf(modules, needed) < Array.IndexOf(modules, module), $"{needed} before {module}");

        var again = new MemoryStream();
        Initramfs.Write(again, s_program, guest.Files);
        Assert.Equal(stream.ToArray(), again.ToArray());
    }

    [Fact]
    public void Spoilt_kernels_and_modules_are_read_without_harm()
    {
        byte[] module = File.ReadAllBytes(Path.Combine(guest.Files.ModulesDirectory, "virtio_blk.ko"));
        byte[] kernel = File.ReadAllBytes(guest.Files.KernelPath)[..32768];
        Assert.True(KernelModules.TryReadInformation(module, out Dictionary<string, string>? information));
        Assert.Contains("virtio", information["depends"]);
        Assert.StartsWith(KernelImage.TryReadVersion(kernel)! + " ", information["vermagic"]);
        for (ulong seed = 0; seed < 1000; seed++)
        {
            var random = new SeededRandomSource(seed);
            byte[] head = [.. kernel], elf = [.. module];
            for (int change = 0; change < 4; change++)
            {
                // Headers are at the front, the section table at the end.
                elf[(int)random.NextBelow(64)] = (byte)random.NextBelow(256);
                elf[elf.Length - 1 - (int)random.NextBelow(2048)] = (byte)random.NextBelow(256);
                head[0x200 + (int)random.NextBelow(32)] = (byte)random.NextBelow(256);
            }

            // What may stand there is not wrong as long as nothing but an answer comes back.
            try
            {
                // Half of them keep the magic number, so that what follows is looked at.
                if (seed % 2 == 0)
                    module.AsSpan(0, 7).CopyTo(elf);
                KernelModules.TryReadInformation(elf.AsSpan(0, (int)random.NextBelow((ulong)elf.Length) + 1), out _);
                KernelModules.TryReadInformation(elf, out _);
                StaticElf.IsStatic(elf);
                KernelImage.TryReadVersion(head.AsSpan(0, (int)random.NextBelow((ulong)head.Length)));
                KernelImage.TryReadVersion(head);
            }
            catch (Exception e)
            {
                Assert.Fail($"seed {seed}: {e}");
            }
        }
    }

    private static Dictionary<string, (int Mode, byte[] Content)> Read(byte[] packed)
    {
        var unpacked = new MemoryStream();
        using (var gzip = new GZipStream(new MemoryStream(packed), CompressionMode.Decompress))
            gzip.CopyTo(unpacked);
        byte[] archive = unpacked.ToArray();
        var files = new Dictionary<string, (int, byte[])>();
        for (int at = 0; ;)
        {
            Assert.Equal("070701", Encoding.ASCII.GetString(archive, at, 6));
            int mode = Field(1), size = Field(6), nameLength = Field(11);
            string name = Encoding.ASCII.GetString(archive, at + 110, nameLength - 1);
            int content = (at + 110 + nameLength + 3) & ~3;
            if (name == "TRAILER!!!")
                return files;
            files.Add(name, (mode, archive[content..(content + size)]));
            at = (content + size + 3) & ~3;

            int Field(int index) => int.Parse(Encoding.ASCII.GetString(archive, at + 6 + (8 * index), 8), NumberStyles.HexNumber);
        }
    }
}
