{
  description = "A git-aware recorder of optimization decisions";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
        "x86_64-darwin"
        "aarch64-darwin"
      ];
      each = make: nixpkgs.lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});
      cargo = builtins.fromTOML (builtins.readFile ./Cargo.toml);
    in
    {
      packages = each (pkgs: {
        default = pkgs.rustPlatform.buildRustPackage {
          pname = cargo.package.name;
          inherit (cargo.package) version;
          src = self;
          cargoLock.lockFile = ./Cargo.lock;
          nativeBuildInputs = [ pkgs.installShellFiles ];
          # The tests want container engines and a browser.
          doCheck = false;
          postInstall = ''
            $out/bin/git-verdict man --dir man
            installManPage man/*.1
            installShellCompletion --cmd git-verdict \
              --bash <($out/bin/git-verdict completions bash) \
              --fish <($out/bin/git-verdict completions fish) \
              --zsh <($out/bin/git-verdict completions zsh)
            install -Dm644 packaging/fish/git-verdict.fish -t $out/share/fish/vendor_conf.d
          '';
          meta = {
            inherit (cargo.package) description;
            license = with pkgs.lib.licenses; [
              mit
              asl20
            ];
            mainProgram = "git-verdict";
          };
        };
      });

      devShells = each (pkgs: {
        default = pkgs.mkShell {
          packages = [
            pkgs.cargo
            pkgs.clippy
            pkgs.rustfmt
            pkgs.cargo-nextest
            pkgs.hyperfine
          ];
        };
      });
    };
}
